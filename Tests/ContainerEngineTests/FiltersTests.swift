import RuntimeAPI
import Testing

@testable import ContainerEngine

struct FiltersTests {
    private let web = Container(
        id: "4ab5edc116c8", name: "web-1", image: ImageName(repository: "apps/web", tag: "1.2"),
        imageID: "sha256:5b6968158fa1", state: .running, labels: ["tier": "front", "empty": ""])

    @Test(
        arguments: [
            ["name": ["web-1"]], ["name": ["/web-1"]], ["name": ["web*"]], ["name": ["x", "*-1"]],
            ["id": ["4ab5"]], ["label": ["tier"]], ["label": ["tier=front", "empty="]],
            ["status": ["exited", "running"]], ["image": ["apps/web"]], ["image": ["apps/web:1.2"]],
            ["image": ["apps/*:1.*"]], ["image": ["5b69"]], ["image": ["sha256:5b69"]],
            ["name": ["web-1"], "status": ["running"]], [:],
        ] as [Runtime.Filters])
    func whatMatches(filters: Runtime.Filters) throws {
        #expect(try Filters(filters, allowed: Filters.containerKeys).matches(web))
    }

    @Test(
        arguments: [
            ["name": ["web"]], ["name": ["eb-1"]], ["id": ["ab5"]], ["id": [""]],
            ["label": ["tier=back"]], ["label": ["tier", "other"]], ["status": ["exited"]],
            ["image": ["web"]], ["image": ["apps/web:1"]],
            ["name": ["web-1"], "status": ["exited"]],
            ["name": []],
        ] as [Runtime.Filters])
    func whatDoesNot(filters: Runtime.Filters) throws {
        #expect(try !Filters(filters, allowed: Filters.containerKeys).matches(web))
    }

    @Test(arguments: [["ancestor": ["x"]], ["status": ["sleeping"]]] as [Runtime.Filters])
    func whatIsNoFilter(filters: Runtime.Filters) {
        #expect(throws: RuntimeError.self) {
            try Filters(filters, allowed: Filters.containerKeys)
        }
    }

    private func matches(pattern: String, _ name: String) throws -> Bool {
        var container = web
        container.name = name
        return try Filters(["name": [pattern]], allowed: Filters.containerKeys).matches(container)
    }

    @Test func aPatternOfManyStarsIsStillQuick() throws {
        let pattern = String(repeating: "*a", count: 500)
        #expect(try !matches(pattern: pattern + "b", String(repeating: "a", count: 5000)))
        #expect(try matches(pattern: pattern, String(repeating: "a", count: 5000)))
    }

    @Test func imagesByReferenceLabelAndDanglingness() throws {
        let image = Image(id: "sha256:12", names: [ImageName(repository: "a/b", tag: "1")])
        func matches(_ filters: Runtime.Filters, labels: [String: String] = [:]) throws -> Bool {
            try Filters(filters, allowed: Filters.imageKeys).matches(image, labels: labels)
        }
        #expect(try matches(["reference": ["a/b"]]))
        #expect(try matches(["label": ["x=y"]], labels: ["x": "y"]))
        #expect(try matches(["dangling": ["false"]]))
        #expect(try !matches(["dangling": ["true"]]))
        #expect(try !matches(["reference": ["b"]]))
    }
}
