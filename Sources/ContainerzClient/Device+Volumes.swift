import GNOI
import GRPCCore
import SwiftProtobuf

/// A volume of a device.
public struct ListedVolume: Encodable, Hashable, Sendable {
    public var name: String
    public var driver: String
    public var options: [String: String]
    public var labels: [String: String]
    /// In seconds since 1970; nil when the device does not tell.
    public var created: Int64?
}

extension Device {
    /// - Returns: the volume's name.
    /// - Throws: `RPCError`.
    public func create(_ request: Gnoi_Containerz_CreateVolumeRequest) async throws -> String {
        try await client.createVolume(request, options: options).name
    }

    /// - Throws: `RPCError`.
    public func volumes(filters: Filters = [:]) async throws -> [ListedVolume] {
        let request = Gnoi_Containerz_ListVolumeRequest.with {
            $0.filter = filters.map { filter in
                .with {
                    $0.key = filter.key
                    $0.value = filter.value
                }
            }
        }
        return try await client.listVolume(request, options: options) { response in
            try await Self.collect(response.messages) { volume in
                ListedVolume(
                    name: volume.name, driver: volume.driver, options: volume.options,
                    labels: volume.labels,
                    created: volume.hasCreated ? volume.created.seconds : nil)
            }
        }
    }

    /// - Throws: `RPCError`.
    public func removeVolume(_ name: String, force: Bool) async throws {
        let request = Gnoi_Containerz_RemoveVolumeRequest.with {
            $0.name = name
            $0.force = force
        }
        _ = try await client.removeVolume(request, options: options)
    }
}
