import ContainerEngine
import Logging
import RuntimeAPI
import SystemIO

/// Watches what containers have mounted, also when the engine itself starts them.
///
/// An engine restarts containers by itself, and follows the paths of their binds again. Nothing is
/// watched while no container has a folder of the device, so that an engine that systemd starts on
/// demand may stop again.
@EventLoop
public final class MountWatch {
    private let engines: EngineConnector
    private let logger: Logger
    private let starts: AsyncStream<Void>
    private let start: AsyncStream<Void>.Continuation
    private var hasFailed = false

    private static let firstRetry: Duration = .seconds(1)
    private static let lastRetry: Duration = .seconds(30)

    public init(_ engines: EngineConnector, logger: Logger) {
        self.engines = engines
        self.logger = logger
        let (starts, start) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        (self.starts, self.start) = (starts, start)
        engines.onContainerCreated = { start.yield() }
    }

    private func log(_ finding: MountFinding) {
        hasFailed = false
        switch finding {
        case .stopped(let error):
            logger.critical(
                "stopped a container whose mounts were redirected",
                metadata: ["reason": "\(error)"])
        case .unknown(let reason):
            logger.warning(
                "cannot check the mounts of a container", metadata: ["reason": "\(reason)"])
        case .nested(let error):
            logger.warning(
                "a container could redirect a mount of another one; create it again with other folders",
                metadata: ["reason": "\(error)"])
        }
    }

    /// Watches until the task is cancelled.
    public func run() async {
        start.yield()
        for await _ in starts {
            var delay = Self.firstRetry
            while true {
                let start = ContinuousClock.now
                if await watch() { break }
                // One that worked for long is not what the wait grows for.
                if .now - start > Self.lastRetry { delay = Self.firstRetry }
                guard (try? await EventLoop.sleep(for: delay)) != nil else { return }
                delay = min(delay * 2, Self.lastRetry)
            }
        }
    }

    /// - Returns: whether there is nothing to watch any more.
    private func watch() async -> Bool {
        do {
            try await engines.use { engine in
                try await engine.watchMounts { log($0) }
            }
            return true
        } catch {
            // Once, not with each attempt.
            logger.log(
                level: hasFailed ? .debug : .warning, "cannot watch the mounts of containers",
                metadata: ["reason": "\(error)"])
            hasFailed = true
            return false
        }
    }
}
