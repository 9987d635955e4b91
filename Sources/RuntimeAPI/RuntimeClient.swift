import SystemIO
import Varlink

/// Calls to cz-runtime. Idle connections are kept for the next call, so that it does not wait
/// for a connection to be made; each call has a connection to itself.
@EventLoop
public final class RuntimeClient {
    public nonisolated let address: SocketAddress
    private var idle: [Connection] = []

    /// A few, for calls that come close together; more would only hold descriptors.
    private static let mostIdle = 4

    public nonisolated init(_ address: SocketAddress) {
        self.address = address
    }

    /// - Throws: ``RuntimeError``, `ServiceError`, `ConnectionError` or `CancellationError`.
    public func call<M: Method>(
        _ method: M.Type, _ parameters: M.Parameters,
        passing descriptors: PassedDescriptors? = nil
    ) async throws -> M.Reply {
        let connection = try await takeConnection()
        defer { keep(connection) }
        return try await connection.call(method, parameters, passing: descriptors)
    }

    /// As ``call(_:_:passing:)``, for a method that may answer in parts; they are put together.
    public func callForWhole<M: Method>(
        _ method: M.Type, _ parameters: M.Parameters
    ) async throws -> M.Reply where M.Reply: PartedReply {
        let connection = try await takeConnection()
        defer { keep(connection) }
        return try await connection.callForWhole(method, parameters)
    }

    private func takeConnection() async throws -> Connection {
        while let connection = idle.popLast() {
            if connection.isUsable { return connection }
            connection.close()
        }
        return try await Connection.connect(to: address)
    }

    private func keep(_ connection: Connection) {
        if connection.isUsable, idle.count < Self.mostIdle {
            idle.append(connection)
        } else {
            connection.close()
        }
    }
}

// Each throws what the call throws, as ``RuntimeError`` where the service says why.
extension RuntimeClient {
    /// The engine, and the storage it has.
    public func info() async throws -> EngineInfo {
        try await call(Runtime.GetInfo.self, Nothing())
    }

    /// The images.
    ///
    /// - Parameter filters: the engine's names and values; all of them have to fit.
    public func images(filters: Runtime.Filters = [:]) async throws -> [Image] {
        try await callForWhole(Runtime.ListImages.self, .init(filters: filters)).images
    }

    /// - Parameters:
    ///   - archive: the read end of a pipe, or a file; closed here once passed on.
    ///   - image: the only tag in the archive; nil for whatever that is.
    ///   - fetched: whether it can be fetched again from where it comes.
    public func load(
        _ archive: consuming Descriptor, as image: ImageName?, fetched: Bool = false
    ) async throws -> [ImageName] {
        let reply = try await call(
            Runtime.LoadImage.self, .init(image: image, fetched: fetched ? true : nil),
            passing: PassedDescriptors(archive))
        return reply.loaded ?? []
    }

    /// Takes a name away from an image, and the image with its last one.
    ///
    /// - Parameter force: although a stopped container uses it.
    public func remove(_ image: ImageName, force: Bool) async throws {
        _ = try await call(Runtime.RemoveImage.self, .init(image: image, force: force))
    }

    /// The containers, the newest first.
    ///
    /// - Parameters:
    ///   - all: those that do not run as well.
    ///   - limit: how many at most; 0 for all.
    public func containers(
        all: Bool, limit: Int = 0, filters: Runtime.Filters = [:]
    ) async throws -> [Container] {
        try await callForWhole(
            Runtime.ListContainers.self, .init(all: all, limit: limit, filters: filters)
        ).containers
    }

    /// - Returns: the instance name.
    public func start(_ spec: ContainerSpec) async throws -> String {
        try await call(Runtime.StartContainer.self, .init(spec: spec)).name
    }

    /// What a container was given of the device, or while it is being updated is to be given; nil
    /// for one that is gone.
    public func grant(to name: String) async throws -> Grant? {
        try await call(Runtime.GetGrant.self, .init(name: name)).grant
    }

    /// Stops a container, for good or to start it again.
    ///
    /// - Parameter force: kills it at once.
    public func stopContainer(_ name: String, force: Bool, restart: Bool) async throws {
        _ = try await call(
            Runtime.StopContainer.self, .init(name: name, force: force, restart: restart))
    }

    /// Removes a container and the volumes that are only its own.
    ///
    /// - Parameter force: although it runs.
    public func removeContainer(_ name: String, force: Bool) async throws {
        _ = try await call(Runtime.RemoveContainer.self, .init(name: name, force: force))
    }

    /// - Parameter settings: what differs from the old container.
    public func update(
        _ name: String, to image: ImageName, settings: ContainerSpec, detach: Bool
    ) async throws {
        _ = try await call(
            Runtime.UpdateContainer.self,
            .init(name: name, image: image, settings: settings, detach: detach))
    }

    /// The volumes.
    public func volumes(filters: Runtime.Filters = [:]) async throws -> [Volume] {
        try await callForWhole(Runtime.ListVolumes.self, .init(filters: filters)).volumes
    }

    /// - Returns: the volume's name.
    public func create(_ spec: VolumeSpec) async throws -> String {
        try await call(Runtime.CreateVolume.self, .init(spec: spec)).name
    }

    /// Removes a volume with what is in it.
    ///
    /// - Parameter force: although its plugin does not answer.
    public func removeVolume(_ name: String, force: Bool) async throws {
        _ = try await call(Runtime.RemoveVolume.self, .init(name: name, force: force))
    }

    /// - Parameter name: nil for all of them.
    public func plugins(named name: String? = nil) async throws -> [Plugin] {
        try await callForWhole(Runtime.ListPlugins.self, .init(name: name)).plugins
    }

    /// Makes a plugin and starts it.
    ///
    /// - Parameter archive: the read end of a pipe, or a file, with config.json and rootfs/.
    /// - Returns: the instance name, with its tag.
    public func startPlugin(
        _ name: String, from archive: consuming Descriptor
    ) async throws -> String {
        try await call(
            Runtime.StartPlugin.self, .init(name: name, archive: 0),
            passing: PassedDescriptors(archive)
        ).name
    }

    /// Starts a plugin again that was stopped.
    public func startPlugin(_ name: String) async throws -> String {
        try await call(Runtime.StartPlugin.self, .init(name: name, archive: nil)).name
    }

    /// Stops a plugin.
    public func stopPlugin(_ name: String) async throws {
        _ = try await call(Runtime.StopPlugin.self, .init(name: name))
    }

    /// Removes a plugin that was stopped.
    public func removePlugin(_ name: String) async throws {
        _ = try await call(Runtime.RemovePlugin.self, .init(name: name))
    }

    /// Writes what a container wrote to `output`, the write end of a pipe, until the log ends.
    public func streamLogs(
        of name: String, follow: Bool, to output: consuming Descriptor
    ) async throws {
        _ = try await call(
            Runtime.StreamLogs.self, .init(name: name, follow: follow, output: 0),
            passing: PassedDescriptors(output))
    }
}
