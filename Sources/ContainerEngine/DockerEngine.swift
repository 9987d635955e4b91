import DevicePolicy
import RuntimeAPI
import SystemIO

/// Docker, or Podman through its Docker-compatible API.
@EventLoop
public final class DockerEngine: ContainerEngine {
    let api: EngineAPI
    let dialect: EngineDialect
    public let version: String
    public let storageRoot: String
    let policies: any PolicyProvider
    let history: FolderHistory
    /// Called after each container that was created.
    public var onContainerCreated: (@EventLoop () -> Void)?
    /// Held while a container, or a volume that it may mount, is checked and created.
    let admission = Turns()
    /// Logs that are followed, by the container's id; several of one where followers have not come
    /// to the same place yet, the oldest first.
    var logTails: [String: [LogTail]] = [:]

    public var name: String { dialect.rawValue }

    /// Where the engines' sockets are by default, Docker's first.
    public static let usualSockets: [(dialect: EngineDialect, path: String)] = [
        (.docker, "/run/docker.sock"), (.docker, "/var/run/docker.sock"),
        (.podman, "/run/podman/podman.sock"),
    ]

    /// Asks the engine behind a socket what it is.
    ///
    /// - Parameters:
    ///   - expected: what it has to be; nil for either.
    ///   - policies: whose policy everything has to pass that the engine is asked to change.
    ///   - history: what containers have had of the device.
    /// - Throws: `RuntimeError.engineUnavailable` when nobody answers or it is the other one.
    public static func connect(
        to socket: String, expecting expected: EngineDialect? = nil, policies: any PolicyProvider,
        history: FolderHistory
    ) async throws -> DockerEngine {
        let api = try EngineAPI(socket: socket)
        do {
            let version = try await api.get("/version", as: VersionDocument.self)
            let dialect: EngineDialect = version.isPodman ? .podman : .docker
            if let expected, expected != dialect {
                throw RuntimeError.engineUnavailable(
                    reason: "\(dialect) answers at \(socket), not \(expected)")
            }
            let apiVersion = EngineDialect.apiVersion(
                from: version.minAPIVersion, to: version.apiVersion)
            api.prefix = "/v\(apiVersion)"
            let info = try await api.get("/info", as: InfoDocument.self)
            return DockerEngine(
                api, dialect, version: version.version, storageRoot: info.dockerRootDir ?? "/",
                policies: policies, history: history)
        } catch let failure as EngineAPI.Failure {
            throw RuntimeError.engineUnavailable(reason: failure.message)
        }
    }

    init(
        _ api: EngineAPI, _ dialect: EngineDialect, version: String, storageRoot: String,
        policies: any PolicyProvider, history: FolderHistory
    ) {
        self.history = history
        self.api = api
        self.dialect = dialect
        self.version = version
        self.storageRoot = storageRoot
        self.policies = policies
    }

    public func ping() async throws {
        try await translating { _ = try await api.call("GET", "/_ping") }
    }

    /// Runs `body` and turns a failure nobody expected into an error for the user.
    func translating<Result>(_ body: @EventLoop () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let failure as EngineAPI.Failure {
            throw EngineTexts.saysStorageIsFull(failure.message)
                ? RuntimeError.insufficientStorage(reason: failure.message)
                : failure.asEngineFailed
        }
    }
}
