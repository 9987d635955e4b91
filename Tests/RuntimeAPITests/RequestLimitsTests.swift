import FoundationEssentials
import Testing

@testable import RuntimeAPI

@Suite("Limits of requests")
struct RequestLimitsTests {
    @Test("The manual's table has the numbers of the code, in the same order")
    func manual() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/man/cz-runtime-protocol.7"
        let text = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        let section = try #require(text.split(separator: "\n.SH LIMITS\n").last)
            .prefix { $0 != "\u{C}" }
        let block = try #require(section.split(separator: ".nf\n").dropFirst().first)
        let lines = try #require(block.split(separator: ".fi").first).split(separator: "\n")
        let table = lines.map { line -> String in
            let words = line.split(separator: " ")
            return words.joined(separator: " ")
        }
        let expected = RequestLimits.all.map { limit in
            let unit = limit.unit.split(separator: " ").first ?? ""
            return "\(limit.title) \(limit.maximum) \(unit)"
        }
        #expect(table == expected)
    }

    @Test("The maximum is accepted; one more is refused with the field, the number and the maximum")
    func edges() throws {
        try RequestLimits.labels.check("labels", 128)
        #expect(
            throws: RuntimeError.invalidArgument(
                field: "labels", reason: "129 labels; the maximum is 128")
        ) { try RequestLimits.labels.check("labels", 129) }
        #expect(
            throws: RuntimeError.invalidArgument(
                field: "name", reason: "257 bytes; the maximum is 256")
        ) { try RequestLimits.nameBytes.check("name", String(repeating: "é", count: 128) + "x") }
    }

    private static func long(_ limit: RequestLimit) -> String {
        String(repeating: "x", count: limit.maximum + 1)
    }

    private static func spec(_ change: (inout ContainerSpec) -> Void) -> ContainerSpec {
        var spec = ContainerSpec(image: ImageName(repository: "a", tag: "1"))
        change(&spec)
        return spec
    }

    private static let image = ImageName(repository: "a", tag: "1")
    private static let longImage = ImageName(
        repository: long(RequestLimits.imageNameBytes), tag: "1")
    private static let many = (0..<1000).map { "\($0)" }
    private static let manyPairs = Dictionary(uniqueKeysWithValues: many.map { ($0, $0) })
    private static let longName = long(RequestLimits.nameBytes)

    private static let specs: [(String, ContainerSpec)] = [
        ("image.repository", spec { $0.image = longImage }),
        ("image.tag", spec { $0.image?.tag = long(RequestLimits.tagBytes) }),
        ("command", spec { $0.command = many }),
        ("command", spec { $0.command = [long(RequestLimits.commandBytes)] }),
        ("name", spec { $0.name = longName }),
        ("ports", spec { $0.ports = many.map { _ in .init(internal: 1, external: 1) } }),
        ("environment", spec { $0.environment = manyPairs }),
        ("environment", spec { $0.environment = [longName: ""] }),
        ("environment", spec { $0.environment = ["a": long(RequestLimits.variableBytes)] }),
        (
            "environment",
            spec {
                let half = String(repeating: "x", count: 25 << 10)
                $0.environment = ["a": half, "b": half]
            }
        ),
        ("volumes", spec { $0.volumes = many.map { .init(name: $0, mountPoint: "/\($0)") } }),
        (
            "volumes.name",
            spec { $0.volumes = [.init(name: long(RequestLimits.pathBytes), mountPoint: "/a")] }
        ),
        (
            "volumes.mountPoint",
            spec { $0.volumes = [.init(name: "a", mountPoint: long(RequestLimits.pathBytes))] }
        ),
        ("network", spec { $0.network = longName }),
        ("capabilities.add", spec { $0.capabilities.add = many }),
        ("capabilities.remove", spec { $0.capabilities.remove = [longName] }),
        ("user", spec { $0.user = longName }), ("group", spec { $0.group = longName }),
        ("labels", spec { $0.labels = manyPairs }),
        ("labels", spec { $0.labels = [longName: ""] }),
        ("labels", spec { $0.labels = ["a": long(RequestLimits.labelValueBytes)] }),
        (
            "labels",
            spec {
                for key in many.prefix(100) { $0.labels[key] = String(repeating: "x", count: 200) }
            }
        ),
        ("devices", spec { $0.devices = many.map { .init(source: $0) } }),
        ("devices.source", spec { $0.devices = [.init(source: long(RequestLimits.pathBytes))] }),
        (
            "devices.destination",
            spec {
                $0.devices = [.init(source: "/a", destination: long(RequestLimits.pathBytes))]
            }
        ),
        (
            "devices.permissions",
            spec {
                $0.devices = [.init(source: "/a", permissions: Array(repeating: .read, count: 9))]
            }
        ),
        // Each is within its own limit. A control character has six bytes in JSON.
        (
            "container",
            spec { $0.environment = ["a": String(repeating: "\u{1}", count: 30_000)] }
        ),
    ]

    private static let refused: [(String, any LimitedParameters)] =
        specs.map { ($0.0, Runtime.StartContainer.Parameters(spec: $0.1)) }
        + specs.map {
            ($0.0, Runtime.UpdateContainer.Parameters(name: "a", image: image, settings: $0.1))
        } + [
            ("filters", Runtime.ListContainers.Parameters(filters: ["name": many])),
            ("filters", Runtime.ListContainers.Parameters(filters: manyPairs.mapValues { [$0] })),
            (
                "filters",
                Runtime.ListImages.Parameters(
                    filters: ["reference": [long(RequestLimits.filterValueBytes)]])
            ),
            ("filters", Runtime.ListVolumes.Parameters(filters: ["name": many])),
            (
                "filters",
                Runtime.ListVolumes.Parameters(
                    filters: [
                        "name": (0..<10).map { "\($0)" + String(repeating: "x", count: 4000) }
                    ]
                )
            ),
            ("image.repository", Runtime.LoadImage.Parameters(image: longImage)),
            ("image", Runtime.AttachSignatures.Parameters(image: longName, name: nil)),
            ("name.repository", Runtime.AttachSignatures.Parameters(image: "a", name: longImage)),
            (
                "manifest",
                Runtime.AttachSignatures.Parameters(
                    image: "a", name: nil, manifest: Data(count: (4 << 20) + 1))
            ),
            (
                "signatures",
                Runtime.AttachSignatures.Parameters(
                    image: "a", name: nil,
                    signatures: Array(
                        repeating: .init(payload: Data(), signature: Data()), count: 17))
            ),
            (
                "signatures.payload",
                Runtime.AttachSignatures.Parameters(
                    image: "a", name: nil,
                    signatures: [.init(payload: Data(count: (1 << 20) + 1), signature: Data())])
            ),
            ("image.repository", Runtime.TagImage.Parameters(image: longImage, as: image)),
            ("as.repository", Runtime.TagImage.Parameters(image: image, as: longImage)),
            ("image.repository", Runtime.RemoveImage.Parameters(image: longImage)),
            ("name", Runtime.StopContainer.Parameters(name: longName)),
            ("name", Runtime.RemoveContainer.Parameters(name: longName)),
            ("name", Runtime.UpdateContainer.Parameters(name: longName, image: image)),
            ("image.repository", Runtime.UpdateContainer.Parameters(name: "a", image: longImage)),
            ("name", Runtime.StreamLogs.Parameters(name: longName)),
            ("name", Runtime.CreateVolume.Parameters(spec: VolumeSpec(name: longName))),
            ("driver", Runtime.CreateVolume.Parameters(spec: VolumeSpec(driver: longName))),
            ("options", Runtime.CreateVolume.Parameters(spec: VolumeSpec(options: manyPairs))),
            ("labels", Runtime.CreateVolume.Parameters(spec: VolumeSpec(labels: manyPairs))),
            ("name", Runtime.RemoveVolume.Parameters(name: longName)),
            ("name", Runtime.ListPlugins.Parameters(name: longName)),
            ("name", Runtime.StartPlugin.Parameters(name: longName, archive: nil)),
            ("name", Runtime.PluginName(name: longName)),
            ("id", Runtime.RemoveUnusedContainer.Parameters(id: longName, finished: nil)),
            ("id", Runtime.RemoveUnusedImage.Parameters(id: longName, names: [], lastUsed: 0)),
            (
                "names",
                Runtime.RemoveUnusedImage.Parameters(
                    id: "a", names: Array(repeating: image, count: 4097), lastUsed: 0)
            ),
            ("name", Runtime.RemoveUnusedVolume.Parameters(name: longName)),
        ]

    @Test("Every list, map and text of every method is limited, and the refusal names it")
    func everyParameter() {
        for (field, parameters) in Self.refused {
            do {
                try parameters.checkLimits()
                Issue.record("\(field) of \(type(of: parameters)) is not limited")
            } catch {
                guard case .invalidArgument(let named, let reason) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(named == field)
                #expect(reason.contains("; the maximum is "))
            }
        }
    }

    @Test("A container of the largest labels and environment together is accepted")
    func largestContainer() throws {
        let value = String(repeating: "x", count: 4000)
        let spec = Self.spec { spec in
            for number in 0..<4 { spec.labels["l\(number)"] = value }
            for number in 0..<12 { spec.environment["e\(number)"] = value }
            spec.command = ["sh", "-c", String(repeating: "x", count: 32_000)]
            spec.ports = (1...256).map { .init(internal: $0, external: $0) }
            spec.volumes = (1...64).map { .init(name: "v\($0)", mountPoint: "/v/\($0)") }
        }
        try spec.checkLimits()
    }

    @Test("Long lists are cut into parts of a bounded size that make up the whole")
    func parts() {
        let containers = (0..<300).map { number in
            Container(
                id: "\(number)", name: "c\(number)", image: nil, imageID: "", state: .running,
                labels: ["a": String(repeating: "x", count: number % 7 == 0 ? 60_000 : 10)])
        }
        let reply = Runtime.ListContainers.Reply(containers: containers)
        let parts = reply.parts()
        #expect(parts.count > 40)
        #expect(
            parts.allSatisfy { part in
                part.containers.count == 1
                    || part.containers.reduce(0) { $0 + $1.approximateSize } <= 32 << 10
            })
        var whole = parts[0]
        for part in parts.dropFirst() { whole.append(part) }
        #expect(whole == reply)
        #expect(Runtime.ListContainers.Reply(containers: []).parts().count <= 1)
        let survey = Runtime.SurveyUse.Reply(
            containers: [], images: [], volumes: [], storage: .init(free: 1, total: 2))
        #expect(survey.parts() == [survey])
    }
}
