import FoundationEssentials
import GNOI
import GRPCCore
import GRPCTransport
import ImageStream
import Logging
import OCI
import RuntimeAPI
import SwiftProtobuf
import SystemIO

// The RPCs on plugins. Their tarballs are kept on this side; the engine gets one when the plugin
// is started.

extension ContainerzService {
    /// The part of Deploy that takes a plugin's tarball.
    @EventLoop
    func deployPlugin(
        _ transfer: Gnoi_Containerz_ImageTransfer,
        _ requests: inout DeployRequests.AsyncIterator, _ state: inout DeployTransfer,
        _ responses: DeployResponses, _ call: CallInProgress
    ) async throws {
        let name = try PluginName(transfer.name, field: "image_transfer.name")
        let download =
            transfer.hasRemoteDownload ? try RemoteDownload(transfer, configuration.pull) : nil
        if let download { call.note(["source": .text(download.auditText)]) }
        // There is no use in a tarball that this engine can do nothing with.
        _ = try await runtime.plugins()
        let size = download == nil ? Int64(clamping: transfer.imageSize) : 0
        let free = try await withOwnThread(named: "plugin") { [plugins] in try plugins.free() }
        try pluginDeploys.admit(size, free: free)
        defer { pluginDeploys.release(size) }

        var received = download == nil ? transfer.imageSize : 0
        let chunks = ChunkHandoff()
        let limits =
            download == nil
            ? ImageStreamLimits(archiveSize: size, freeStorage: nil)
            : ImageStreamLimits(maximumExpansion: free ?? .max)
        let storing = EventLoop.task { [plugins] in
            defer { chunks.readerIsDone() }
            try await withOwnThread(named: "plugin") {
                try plugins.receive(chunks, as: name, limits: limits)
            }
        }
        do {
            if let download {
                try await fetch(download, free: free, responses) {
                    received += UInt64($0.count)
                    await chunks.push($0)
                }
            } else {
                try await receive(&requests, &state, responses) { await chunks.push($0) }
            }
            chunks.end()
            try await storing.value
        } catch {
            chunks.end(error)
            guard case .failure(let failure) = await storing.result else { throw error }
            throw download == nil ? failure : Self.dataLoss(failure)
        }
        call.carryOut()
        logger.info(
            "deployed", metadata: ["plugin": "\(name)", "bytes": .stringConvertible(received)])
        try await responses.write(
            .with {
                $0.imageTransferSuccess = .with {
                    $0.name = transfer.name
                    $0.tag = transfer.tag
                    $0.imageSize = received
                }
            })
    }

    @EventLoop
    func startPlugin(
        _ request: Gnoi_Containerz_StartPluginRequest
    ) async throws -> Gnoi_Containerz_StartPluginResponse {
        try Self.requireName(request.instanceName, "instance_name")
        let instance: String
        if request.name.isEmpty {
            // An instance alone is one that was stopped, as with containers.
            guard request.config.isEmpty else {
                throw RequestError("name", "there is a config, but no plugin")
            }
            instance = try await runtime.startPlugin(request.instanceName)
        } else {
            let name = try PluginName(request.name, field: "name")
            try pluginStarts.admit(0, free: nil)
            defer { pluginStarts.release(0) }
            // Asked before the tarball is looked at: an instance that is there is not made again.
            guard try await runtime.plugins(named: request.instanceName).isEmpty else {
                throw RuntimeAPI.RuntimeError.pluginExists(request.instanceName)
            }
            instance = try await make(name, request.config, as: request.instanceName)
        }
        return .with { $0.instanceName = Self.bareName(instance) }
    }

    /// Makes the engine's plugin from a tarball and starts it.
    @EventLoop
    private func make(
        _ name: PluginName, _ config: String, as instance: String
    ) async throws -> String {
        let archive = try await withOwnThread(named: "plugin") { [plugins] in
            let source = FileSource(try Self.tarball(name, in: plugins))
            return try PluginArchive(surveying: source, limits: Self.limits)
        }
        let given: String
        if !config.isEmpty {
            given = config
        } else if let own = archive.config {
            try RequestLimits.pluginConfigBytes.check("config", own.count)
            given = String(decoding: own, as: UTF8.self)
        } else {
            throw RequestError("config", "there is none, nor a config.json in the tarball")
        }
        let document = try PluginConfig(given, from: archive.digest)
        let pipe = try Descriptor.pipe()
        let (input, output) = (DescriptorHandoff(pipe.read), DescriptorHandoff(pipe.write))
        let writing = EventLoop.task { [plugins] in
            defer { output.close() }
            try await withOwnThread(named: "plugin") {
                let output = try output.take()
                let source = FileSource(try Self.tarball(name, in: plugins))
                try archive.write(
                    from: source, config: document.text, to: output, limits: Self.limits)
            }
        }
        let result: Result<String, any Error>
        do {
            result = .success(
                try await runtime.startPlugin(instance, from: try input.take()))
        } catch {
            result = .failure(error)
        }
        // The runtime says better why it stopped reading.
        do {
            try await writing.value
        } catch ImageStreamError.output {
        } catch {
            if case .failure = result { throw error }
        }
        return try result.get()
    }

    /// A tarball was measured against its size when it came.
    private static let limits = ImageStreamLimits(maximumExpansion: .max)

    private static func tarball(
        _ name: PluginName, in plugins: PluginStore
    ) throws -> SystemIO.Descriptor {
        guard let file = try plugins.open(name) else { throw noTarball(name) }
        return file
    }

    private static func noTarball(_ name: PluginName) -> RPCError {
        RPCError(code: .notFound, message: "no plugin \(name) was deployed to this device")
    }

    /// There being no such plugin is what the client wants.
    @EventLoop
    func stopPlugin(
        _ request: Gnoi_Containerz_StopPluginRequest
    ) async throws -> Gnoi_Containerz_StopPluginResponse {
        try Self.requireName(request.instanceName, "instance_name")
        do {
            try await runtime.stopPlugin(request.instanceName)
        } catch RuntimeAPI.RuntimeError.pluginNotFound {}
        return .init()
    }

    @EventLoop
    func listPlugins(
        _ request: Gnoi_Containerz_ListPluginsRequest, _ call: CallInProgress
    ) async throws -> Gnoi_Containerz_ListPluginsResponse {
        let plugins = try await runtime.plugins(named: request.instanceName)
        // Its environment may hold secrets.
        let showsConfig = call.permits(Method.StartPlugin.descriptor)
        return .with { response in
            response.plugins = plugins.map { Self.response($0, showsConfig: showsConfig) }
        }
    }

    @EventLoop
    func removePlugin(
        _ request: Gnoi_Containerz_RemovePluginRequest
    ) async throws -> Gnoi_Containerz_RemovePluginResponse {
        try Self.requireName(request.instanceName, "instance_name")
        do {
            try await runtime.removePlugin(request.instanceName)
        } catch RuntimeAPI.RuntimeError.pluginNotFound {}
        return .init()
    }

    @EventLoop
    func removePluginTar(
        _ request: Gnoi_Containerz_RemovePluginTarRequest
    ) async throws -> Gnoi_Containerz_RemovePluginTarResponse {
        let name = try PluginName(request.name, field: "name")
        let isRemoved = try await withOwnThread(named: "plugin") { [plugins] in
            try plugins.remove(name)
        }
        if isRemoved { return .init() }
        // Where there are no plugins at all, that is the better answer.
        _ = try await runtime.plugins()
        throw Self.noTarball(name)
    }

    private static func response(
        _ plugin: Plugin, showsConfig: Bool
    ) -> Gnoi_Containerz_Plugin {
        .with {
            $0.id = plugin.id
            $0.instanceName = plugin.name
            if showsConfig { $0.config = plugin.config }
            if let hash = plugin.digest.flatMap(hash) { $0.hash = hash }
        }
    }

    /// The instance as the client named it, without the engine's tag.
    private static func bareName(_ instance: String) -> String {
        let tag = ":\(ImageReference.defaultTag)"
        return instance.hasSuffix(tag) ? String(instance.dropLast(tag.count)) : instance
    }
}
