import ContainerEngine
import ContainerUpdate
import Glibc
import Logging
import RuntimeAPI
import SystemIO

/// Finds the engine, and finds it again after it was gone.
@EventLoop
public final class EngineConnector: EngineProvider {
    private let dialect: EngineDialect?
    private let socket: String?
    private let policies: any PolicyProvider
    private let history: FolderHistory
    private let logger: Logger
    private var current: (any ContainerEngine)?
    /// Called after each container that was created.
    var onContainerCreated: (@EventLoop () -> Void)?

    /// - Parameters:
    ///   - dialect: which engine it has to be; nil for the first that answers.
    ///   - socket: its socket; nil for the usual ones.
    ///   - policies: whose policy the engine is to keep to.
    ///   - history: what containers have had of the device.
    public init(
        _ dialect: EngineDialect?, socket: String?, policies: any PolicyProvider,
        history: FolderHistory, logger: Logger
    ) {
        self.dialect = dialect
        self.socket = socket
        self.policies = policies
        self.history = history
        self.logger = logger
    }

    /// Runs `body` with the engine. When it turns out to be gone, the next call looks for it
    /// anew.
    ///
    /// - Throws: `RuntimeError.engineUnavailable`, and what `body` throws.
    func use<Result>(
        _ body: @EventLoop (any ContainerEngine) async throws -> Result
    ) async throws -> Result {
        let engine = try await engine()
        do {
            return try await body(engine)
        } catch let error as RuntimeError {
            if case .engineUnavailable(let reason) = error, current === engine {
                current = nil
                logger.warning("the engine is gone", metadata: ["reason": "\(reason)"])
            }
            throw error
        }
    }

    public func update<Result>(
        _ body: @EventLoop (any UpdateEngine) async throws -> Result
    ) async throws -> Result {
        try await use { try await body($0) }
    }

    private func engine() async throws -> any ContainerEngine {
        if let current { return current }
        var reasons: [String] = []
        for path in candidates() {
            do {
                let found = try await DockerEngine.connect(
                    to: path, expecting: dialect, policies: policies, history: history)
                if let current { return current }
                found.onContainerCreated = onContainerCreated
                current = found
                logger.info(
                    "found the engine",
                    metadata: [
                        "engine": "\(found.name)", "version": "\(found.version)",
                        "socket": "\(path)",
                    ])
                return found
            } catch RuntimeError.engineUnavailable(let reason) {
                reasons.append(reason)
            }
        }
        throw RuntimeError.engineUnavailable(
            reason: reasons.isEmpty
                ? "there is no socket of one; say where with --engine-socket"
                : reasons.joined(separator: "; "))
    }

    private func candidates() -> [String] {
        if let socket { return [socket] }
        let usual = DockerEngine.usualSockets.filter { dialect == nil || dialect == $0.dialect }
            .map(\.path)
        // The two of Docker are one and the same where /var/run is a link, as is usual.
        var seen: Set<String> = []
        return usual.filter { path in
            guard let real = realpath(path, nil) else { return false }
            defer { free(real) }
            return seen.insert(String(cString: real)).inserted
        }
    }
}
