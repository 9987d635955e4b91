import FoundationEssentials
import FuzzSupport
import JSON
import RuntimeAPI

@testable import ContainerEngine

/// Parameters of every method of cz-runtime's interface: those that the limits accept are as small
/// as the limits say, and filters among them compile and match.
@main struct RequestLimitsTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let check = checks[input.choice(of: checks.count)]
        // Fuzzed texts are short: repeating them makes some too long.
        let factor = 1 << input.choice(of: 16)
        guard let value = try? JSONValue(parsing: input.text),
            let data = try? CanonicalJSON.encode(stretched(value, factor))
        else { return }
        check(data)
    }

    /// Texts repeated, and lists too.
    private static func stretched(_ value: JSONValue, _ factor: Int) -> JSONValue {
        switch value {
        case .string(let text):
            .string(
                String(repeating: text, count: min(factor, 1 + (64 << 10) / (text.utf8.count + 1))))
        case .array(let values):
            .array(
                (0..<min(factor, 1 + 256 / (values.count + 1))).flatMap { _ in
                    values.map { stretched($0, 1) }
                })
        case .object(let fields): .object(fields.mapValues { stretched($0, factor) })
        case .null, .bool, .int, .double: value
        }
    }

    private static func on<Parameters: LimitedParameters>(
        _ type: Parameters.Type, accepts most: Int,
        then: @escaping @Sendable (Parameters) -> Void = { _ in }
    ) -> @Sendable (Data) -> Void {
        { data in
            guard let parameters = try? JSONDecoder().decode(type, from: data) else { return }
            do throws(RuntimeError) {
                try parameters.checkLimits()
            } catch {
                guard case .invalidArgument(let field, let reason) = error else {
                    fatalError("\(error)")
                }
                require(!field.isEmpty && reason.utf8.count < 200, "a refusal says too much")
                return
            }
            guard let written = try? CanonicalJSON.encode(parameters) else {
                fatalError("what was accepted cannot be written")
            }
            require(written.count <= most, "\(written.count) bytes of \(type) were accepted")
            then(parameters)
        }
    }

    /// A byte may have six in JSON, and everything has a name.
    private static let small = 16 << 10
    private static let filters = 6 * (32 << 10) + 64 * 8 + 4096
    private static let spec = (128 << 10) + (8 << 10)

    private static let container = Container(
        id: "4ab5", name: "web-1", image: ImageName(repository: "apps/web", tag: "1.2"),
        imageID: "sha256:5b69", state: .running, labels: ["tier": "front"])

    private static let checks: [@Sendable (Data) -> Void] = [
        on(Runtime.ListImages.Parameters.self, accepts: filters) {
            let image = Image(id: "sha256:12", names: [ImageName(repository: "a/b", tag: "1")])
            _ = try? Filters($0.filters, allowed: Filters.imageKeys).matches(image, labels: [:])
        },
        on(Runtime.ListContainers.Parameters.self, accepts: filters) {
            _ = try? Filters($0.filters, allowed: Filters.containerKeys).matches(container)
        },
        on(Runtime.ListVolumes.Parameters.self, accepts: filters) {
            let volume = Volume(name: "v", driver: "local", options: [:], labels: [:], created: 0)
            _ = try? Filters($0.filters, allowed: Filters.volumeKeys).matches(volume)
        },
        on(Runtime.StartContainer.Parameters.self, accepts: spec),
        on(Runtime.UpdateContainer.Parameters.self, accepts: spec + small),
        on(Runtime.CreateVolume.Parameters.self, accepts: 6 * (48 << 10) + small),
        on(Runtime.LoadImage.Parameters.self, accepts: small),
        on(Runtime.AttachSignatures.Parameters.self, accepts: 64 << 20),
        on(Runtime.TagImage.Parameters.self, accepts: small),
        on(Runtime.RemoveImage.Parameters.self, accepts: small),
        on(Runtime.StopContainer.Parameters.self, accepts: small),
        on(Runtime.RemoveContainer.Parameters.self, accepts: small),
        on(Runtime.StreamLogs.Parameters.self, accepts: small),
        on(Runtime.RemoveVolume.Parameters.self, accepts: small),
        on(Runtime.ListPlugins.Parameters.self, accepts: small),
        on(Runtime.StartPlugin.Parameters.self, accepts: small),
        on(Runtime.PluginName.self, accepts: small),
        on(Runtime.RemoveUnusedContainer.Parameters.self, accepts: small),
        on(Runtime.RemoveUnusedImage.Parameters.self, accepts: 4096 * 6 * 700 + small),
        on(Runtime.RemoveUnusedVolume.Parameters.self, accepts: small),
    ]
}
