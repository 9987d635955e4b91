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
        try Filters.check(filters, allowed: Filters.containerKeys)
        #expect(Filters.matches(filters, web))
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
        try Filters.check(filters, allowed: Filters.containerKeys)
        #expect(!Filters.matches(filters, web))
    }

    @Test(arguments: [["ancestor": ["x"]], ["status": ["sleeping"]]] as [Runtime.Filters])
    func whatIsNoFilter(filters: Runtime.Filters) {
        #expect(throws: RuntimeError.self) {
            try Filters.check(filters, allowed: Filters.containerKeys)
        }
    }

    @Test func aPatternOfManyStarsIsStillQuick() {
        let pattern = String(repeating: "*a", count: 500)
        #expect(!Filters.matches(pattern: pattern + "b", String(repeating: "a", count: 5000)))
        #expect(Filters.matches(pattern: pattern, String(repeating: "a", count: 5000)))
    }

    @Test func imagesByReferenceLabelAndDanglingness() {
        let image = Image(id: "sha256:12", names: [ImageName(repository: "a/b", tag: "1")])
        #expect(Filters.matches(["reference": ["a/b"]], image, labels: [:]))
        #expect(Filters.matches(["label": ["x=y"]], image, labels: ["x": "y"]))
        #expect(Filters.matches(["dangling": ["false"]], image, labels: [:]))
        #expect(!Filters.matches(["dangling": ["true"]], image, labels: [:]))
        #expect(!Filters.matches(["reference": ["b"]], image, labels: [:]))
    }
}
