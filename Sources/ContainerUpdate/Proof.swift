import ContainerEngine
import HealthProbe
import RuntimeAPI
import SystemIO

/// What a new container has to show before the old one goes.
public struct Proof: Sendable {
    /// How long one without a health check has to run.
    public var settleTime: Duration = .seconds(3)
    /// How long a health check may take to succeed.
    public var healthTimeout: Duration = .seconds(60)

    /// Asks a container how it is.
    var check: @Sendable @EventLoop (HealthProbe) async throws -> Void = { try await $0.check() }

    /// A container's own time for that, in seconds.
    private static let timeoutLabel = "org.containerz.health.timeout"

    public init() {}

    /// Whether the labels that ask for a health check can be followed.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func validate(_ labels: [String: String]) throws(RuntimeError) {
        do throws(HealthProbeError) {
            _ = try HealthProbe(labels: labels, host: "localhost")
        } catch {
            throw .invalidArgument(field: "labels", reason: error.description)
        }
        if let text = labels[timeoutLabel], !(1...86_400).contains(Int64(text) ?? 0) {
            throw .invalidArgument(
                field: "labels", reason: "\(timeoutLabel) is not a number of seconds up to a day")
        }
    }

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
            guard now.isUp, now.restarts == 0, now.startedAt == first.startedAt else {
                throw Failure(try await end(of: now, on: engine))
            }
            let age = ContinuousClock.now - start
            let rest: Duration
            switch try await health(of: now) {
            case .good: return
            case .bad(let reason): throw Failure(reason)
            case .unasked:
                if age >= settleTime { return }
                rest = settleTime - age
            case .notYet(let reason):
                guard age < timeout else {
                    throw Failure("\(reason), \(timeout.components.0) s after its start")
                }
                rest = timeout - age
            }
            // An event that comes between looking and listening is seen when this is over.
            try await engine.waitForChange(of: id, atMost: min(rest, HealthProbe.pause))
        }
    }

    /// The engine may have started it again, or be about to.
    @EventLoop
    private func end(
        of container: ContainerDetails, on engine: any UpdateEngine
    ) async throws -> String {
        let code =
            container.isUp
            ? try await engine.exitCode(of: container.id, since: container.createdAt)
            : container.exitCode
        guard let code else { return "it ended right after its start" }
        return "it ended with exit code \(code) right after its start"
    }

    private enum Answer {
        case good
        case bad(String)
        case notYet(String)
        /// There is nothing to ask.
        case unasked
    }

    /// The labels' way of asking counts before the image's.
    @EventLoop
    private func health(of container: ContainerDetails) async throws -> Answer {
        do {
            if let probe = try HealthProbe(
                labels: container.labels, host: container.address ?? "")
            {
                guard container.address != nil else {
                    return .notYet("its health cannot be asked for: it has no address")
                }
                try await check(probe)
                return .good
            }
        } catch let error as HealthProbeError {
            return .notYet("its health check fails: \(error)")
        }
        switch container.health {
        case .undefined: return .unasked
        case .healthy: return .good
        case .unhealthy: return .bad("its health check failed")
        case .starting: return .notYet("its health check did not succeed")
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
        init(_ description: String) { self.description = description }
    }
}
