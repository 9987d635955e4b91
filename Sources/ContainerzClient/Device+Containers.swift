import FoundationEssentials
import GNOI
import GRPCCore
import SwiftProtobuf

/// A container of a device.
public struct ListedContainer: Encodable, Hashable, Sendable {
    public var name: String
    public var image: String
    /// `running`, `stopped`, `present`, `not found` or `unknown`.
    public var status: String
    public var id: String
    public var labels: [String: String]
    /// The image's digest, `sha256:…`; empty when the device does not tell.
    public var hash: String
}

extension Device {
    /// - Returns: the instance name.
    /// - Throws: `RPCError`.
    public func start(_ request: Gnoi_Containerz_StartContainerRequest) async throws -> String {
        let response = try await client.startContainer(request, options: options)
        switch response.response {
        case .startOk(let ok): return ok.instanceName
        case .startError, nil:
            throw RPCError(code: .unknown, message: "the device does not say why it failed")
        }
    }

    /// - Throws: `RPCError`.
    public func containers(
        all: Bool, limit: Int32 = 0, filters: Filters = [:]
    ) async throws -> [ListedContainer] {
        let request = Gnoi_Containerz_ListContainerRequest.with {
            $0.all = all
            $0.limit = limit
            $0.filter = filters.map { filter in
                .with {
                    $0.key = filter.key
                    $0.value = filter.value
                }
            }
        }
        return try await client.listContainer(request, options: options) { response in
            try await Self.collect(response.messages) { ListedContainer($0) }
        }
    }

    /// - Throws: `RPCError`.
    public func stop(_ instance: String, force: Bool, restart: Bool) async throws {
        let request = Gnoi_Containerz_StopContainerRequest.with {
            $0.instanceName = instance
            $0.force = force
            $0.restart = restart
        }
        _ = try await client.stopContainer(request, options: options)
    }

    /// - Throws: `RPCError`.
    public func remove(_ instance: String, force: Bool) async throws {
        let request = Gnoi_Containerz_RemoveContainerRequest.with {
            $0.name = instance
            $0.force = force
        }
        _ = try await client.removeContainer(request, options: options)
    }

    /// Replaces a container by one of another image.
    ///
    /// - Parameters:
    ///   - settings: what differs from the old container.
    ///   - detach: return once the request was found to be sound.
    /// - Throws: `RPCError`; then the old one is what remains.
    public func update(
        _ instance: String, to image: (name: String, tag: String),
        _ settings: Gnoi_Containerz_StartContainerRequest, detach: Bool
    ) async throws {
        let request = Gnoi_Containerz_UpdateContainerRequest.with {
            $0.instanceName = instance
            $0.imageName = image.name
            $0.imageTag = image.tag
            $0.params = settings
            $0.async = detach
        }
        _ = try await client.updateContainer(request, options: options)
    }

    /// Hands over what the container wrote, until its log ends.
    ///
    /// - Throws: `RPCError`, and what `output` throws.
    public func log(
        _ instance: String, follow: Bool,
        _ output: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        let request = Gnoi_Containerz_LogRequest.with {
            $0.instanceName = instance
            $0.follow = follow
        }
        try await client.log(request, options: options) { response in
            for try await message in response.messages { try await output(message.msg) }
        }
    }
}

extension ListedContainer {
    fileprivate init(_ container: Gnoi_Containerz_ListContainerResponse) {
        let status =
            switch container.status {
            case .running: "running"
            case .stopped: "stopped"
            case .present: "present"
            case .notFound: "not found"
            case .unspecified, .UNRECOGNIZED: "unknown"
            }
        self.init(
            name: container.name, image: container.imageName, status: status, id: container.id,
            labels: container.labels,
            hash: Device.text(container.hash))
    }
}
