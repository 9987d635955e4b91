import GNOI
import GRPCCore
import SwiftProtobuf

/// A plugin of a device's engine.
public struct ListedPlugin: Encodable, Hashable, Sendable {
    /// `INSTANCE:latest`.
    public var instance: String
    public var id: String
    /// The digest of the tarball it was made from; empty when the device does not tell.
    public var hash: String
    /// Its config.json.
    public var config: String
}

/// A plugin's tarball that a device has taken.
public struct PushedPlugin: Encodable, Hashable, Sendable {
    public var plugin: String
    /// In bytes.
    public var size: UInt64
}

extension Device {
    /// Pushes a plugin's tarball.
    ///
    /// - Parameter progress: told the bytes the device has received.
    /// - Throws: `RPCError`, `SystemError` when the source cannot be read.
    public func pushPlugin(
        _ source: PushSource, as name: String, progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> PushedPlugin {
        let pushed = try await push(
            source,
            .with {
                $0.name = name
                $0.isPlugin = true
            }, progress)
        return PushedPlugin(plugin: pushed.name, size: pushed.size)
    }

    /// - Parameters:
    ///   - name: the tarball's; empty to start an instance again that was stopped.
    ///   - config: config.json; empty for the one in the tarball.
    /// - Returns: the instance name.
    /// - Throws: `RPCError`.
    public func startPlugin(
        _ name: String, as instance: String, config: String
    ) async throws -> String {
        let request = Gnoi_Containerz_StartPluginRequest.with {
            $0.name = name
            $0.instanceName = instance
            $0.config = config
        }
        return try await client.startPlugin(request, options: options).instanceName
    }

    /// - Throws: `RPCError`.
    public func stopPlugin(_ instance: String) async throws {
        _ = try await client.stopPlugin(.with { $0.instanceName = instance }, options: options)
    }

    /// - Parameter instance: empty for all.
    /// - Throws: `RPCError`.
    public func plugins(_ instance: String = "") async throws -> [ListedPlugin] {
        let response = try await client.listPlugins(
            .with { $0.instanceName = instance }, options: options)
        return response.plugins.map {
            ListedPlugin(
                instance: $0.instanceName, id: $0.id, hash: Self.text($0.hash), config: $0.config)
        }
    }

    /// - Throws: `RPCError`.
    public func removePlugin(_ instance: String) async throws {
        _ = try await client.removePlugin(.with { $0.instanceName = instance }, options: options)
    }

    /// - Throws: `RPCError`.
    public func removePluginTarball(_ name: String) async throws {
        _ = try await client.removePluginTar(.with { $0.name = name }, options: options)
    }
}
