import DevicePolicy
import RuntimeAPI

extension DockerEngine {
    public func grant(to container: String) async throws -> Grant? {
        try await translating {
            let path = "/containers/\(percentEncoded(container))/json"
            guard InstanceName.isValid(container),
                let found = try await api.find(path, as: GrantDocument.self),
                found.name == container || found.name == "/\(container)",
                let spec = Self.keptSpec(of: found.container), let image = spec.image
            else { return nil }
            var grant = Grant(
                spec, image: try image.familiar(), imageID: ImageID.full(found.image),
                user: found.container.config?.user ?? "")
            // What the engine added of its own or by the device's policy counts as well.
            grant.capabilities = .init(
                add: Self.names(spec.capabilities.add, found.hostConfig?.capAdd),
                remove: Self.names(spec.capabilities.remove, found.hostConfig?.capDrop))
            return grant
        }
    }

    public func grant(of spec: ContainerSpec) async throws -> Grant? {
        try await translating {
            guard let image = spec.image else { return nil }
            let found = try await findImage(image)
            var user =
                spec.group.isEmpty
                ? spec.user : "\(spec.user.isEmpty ? "0" : spec.user):\(spec.group)"
            if user.isEmpty {
                let path = "/images/\(percentEncoded(found.id))/json"
                user = try await api.find(path, as: ImageDocument.self)?.config?.user ?? ""
            }
            return Grant(spec, image: found.name, imageID: ImageID.full(found.id), user: user)
        }
    }

    /// Capabilities without the prefix `CAP_`, each once, in order.
    private static func names(_ wanted: [String], _ engine: [String]?) -> [String] {
        Set((wanted + (engine ?? [])).map { CapabilityName.normalised($0) ?? $0 }).sorted()
    }
}

/// A container as far as it tells what it was given.
private struct GrantDocument: Decodable {
    struct HostConfig: Decodable {
        var capAdd: [String]?
        var capDrop: [String]?

        private enum CodingKeys: String, CodingKey {
            case capAdd = "CapAdd"
            case capDrop = "CapDrop"
        }
    }
    var container: ContainerDocument
    var name: String { container.name }
    var image: String
    var hostConfig: HostConfig?

    init(from decoder: any Decoder) throws {
        container = try ContainerDocument(from: decoder)
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        image = try fields.decode(String.self, forKey: .image)
        hostConfig = try fields.decodeIfPresent(HostConfig.self, forKey: .hostConfig)
    }

    private enum CodingKeys: String, CodingKey {
        case image = "Image"
        case hostConfig = "HostConfig"
    }
}
