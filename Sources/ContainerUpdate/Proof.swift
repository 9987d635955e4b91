import ContainerEngine
import RuntimeAPI
import SystemIO

/// What a new container has to show before the old one goes.
public struct Proof: Sendable {
    /// How long one without a health check has to run.
    public var settleTime: Duration = .seconds(3)
    /// How long a health check may take to succeed.
    public var healthTimeout: Duration = .seconds(60)

    /// A container's own time for that, in seconds.
    static let timeoutLabel = "org.containerz.health.timeout"

    public init() {}

    /// Returns once the container has proved itself.
    ///
    /// - Throws: `Failure` when it will not, and what the engine throws.
    @EventLoop
    func wait(for id: String, on engine: any UpdateEngine) async throws {
        let start = ContinuousClock.now
        guard let first = try await engine.details(of: id) else {
            throw Failure("it was removed right after its start")
        }
        let timeout =
            first.labels[Self.timeoutLabel].flatMap(Int64.init).map { Duration.seconds($0) }
            ?? healthTimeout
        while true {
            try Task.checkCancellation()
            guard let now = try await engine.details(of: id) else {
                throw Failure("it was removed right after its start")
            }
            guard now.isUp, now.startedAt == first.startedAt, now.restarts == first.restarts else {
                throw Failure("it ended with exit code \(now.exitCode) right after its start")
            }
            let age = ContinuousClock.now - start
            let rest: Duration
            switch now.health {
            case .healthy: return
            case .unhealthy: throw Failure("its health check failed")
            case .undefined:
                if age >= settleTime { return }
                rest = settleTime - age
            case .starting:
                guard age < timeout else {
                    throw Failure(
                        "its health check did not succeed within \(timeout.components.0) s")
                }
                rest = timeout - age
            }
            // An event that comes between looking and listening is seen when this is over.
            try await engine.waitForChange(of: id, atMost: min(rest, .seconds(1)))
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }
}
