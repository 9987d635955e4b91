import HTTPClient
import JSON
import OCI

/// What a device knows of registries: where else their images are, and how hosts are reached.
///
/// ```json
/// {"mirrors": [{"prefix": "registry.example/apps", "locations": ["mirror.example:5000/apps"]}],
///  "hosts": {"mirror.example:5000": {"ca": "/etc/containerz/mirror.pem"}}}
/// ```
public struct RegistriesFile: Sendable {
    /// How a host is reached.
    public struct Host: Hashable, Sendable {
        public var usesPlainHTTP = false
        public var tls = HTTPTLS()

        public init() {}
    }

    private struct Mirror: Hashable, Sendable {
        var prefix: String
        var locations: [String]
    }

    private var mirrors: [Mirror] = []
    private var hosts: [String: Host] = [:]

    public init() {}

    /// - Throws: ``FetchError/invalid(_:)``.
    public init(parsing text: [UInt8]) throws(FetchError) {
        do throws(JSONObjectReader.Failure) {
            var reader = try JSONObjectReader(parsing: text)
            for var entry in try reader.objects("mirrors") ?? [] {
                guard let prefix = try entry.string("prefix"), !prefix.isEmpty else {
                    throw entry.failure("prefix", "is missing")
                }
                let locations = try entry.strings("locations") ?? []
                for text in [prefix] + locations where Self.reference("\(text)/x") == nil {
                    throw entry.failure("locations", "or prefix: '\(text)' is not HOST[/PATH]")
                }
                mirrors.append(Mirror(prefix: prefix, locations: locations))
                try entry.finish()
            }
            for (name, value) in try reader.fields("hosts") ?? [:] {
                var entry = try JSONObjectReader(value, at: "hosts.\(name)")
                var host = Host()
                host.usesPlainHTTP = try entry.bool("plainHTTP") ?? false
                host.tls.authorities = try entry.string("ca")
                host.tls.certificate = try entry.string("cert")
                host.tls.privateKey = try entry.string("key")
                try entry.finish()
                hosts[name] = host
            }
            try reader.finish()
        } catch {
            throw .invalid("\(error)")
        }
    }

    /// How to reach a host; nil when nothing is said of it.
    public func host(_ name: String) -> Host? { hosts[name] }

    /// Where an image may be found, in order: its mirrors by the longest prefix that fits, and
    /// what it says itself.
    public func locations(of source: RegistryReference) -> [RegistryReference] {
        let name = "\(source.registry)/\(source.repository)"
        let fitting = mirrors.filter { name == $0.prefix || name.hasPrefix("\($0.prefix)/") }
        guard let mirror = fitting.max(by: { $0.prefix.count < $1.prefix.count }) else {
            return [source]
        }
        let rest = name.dropFirst(mirror.prefix.count)
        return mirror.locations.compactMap {
            Self.reference("\($0)\(rest)", tag: source.tag, digest: source.digest)
        } + [source]
    }

    private static func reference(
        _ repository: String, tag: String? = nil, digest: Digest? = nil
    ) -> RegistryReference? {
        let image = try? ImageReference(repository: repository, tag: tag, digest: digest)
        return image.flatMap { RegistryReference($0) }
    }
}
