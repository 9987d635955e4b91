import GRPCHealth
import SystemIO

/// Knows whether a server's services can serve: asks when somebody wants to know, and again and
/// again only while somebody watches.
@EventLoop
public final class HealthMonitor {
    public typealias Status = Grpc_Health_V1_HealthCheckResponse.ServingStatus

    /// Ends a watch, in good order, since the server stops: the watcher is to try again.
    public struct Draining: Error, Hashable, Sendable {}

    /// The name of the server as a whole.
    private nonisolated static let server = ""

    private let services: Set<String>
    private let interval: Duration
    private let patience: Duration
    private let ask: @Sendable @EventLoop () async -> Bool

    /// The question that is under way; whoever wants to know meanwhile waits for its answer, so
    /// that what is behind is never asked twice at a time.
    private var question: Task<Void, Never>?
    /// The last answer.
    private var isWell = false
    private var isDraining = false
    private var watchers: [ObjectIdentifier: Waiter] = [:]
    /// How many of them watch something that may change.
    private var pollers = 0
    private var polling: Task<Void, Never>?

    /// - Parameters:
    ///   - services: the full names of those that all depend on the same.
    ///   - interval: between questions while somebody watches.
    ///   - patience: how long an answer may take; later ones are bad.
    ///   - ask: whether all is well; ends early when its task is cancelled.
    public nonisolated init(
        of services: [String], every interval: Duration = .seconds(2),
        patience: Duration = .seconds(5), _ ask: @escaping @Sendable @EventLoop () async -> Bool
    ) {
        self.services = Set(services).union([Self.server])
        self.interval = interval
        self.patience = patience
        self.ask = ask
    }

    /// From now on nothing serves any more, and watches end once they have said so.
    public func drain() {
        isDraining = true
        wakeAll()
    }

    // MARK: Answers

    /// - Returns: nil for a service that is not known.
    public func status(of service: String) async -> Status? {
        guard services.contains(service) else { return nil }
        if !isDraining { await renew() }
        return known
    }

    /// Of all services, by their names.
    public func statuses() async -> [String: Status] {
        if !isDraining { await renew() }
        return Dictionary(uniqueKeysWithValues: services.map { ($0, known) })
    }

    /// Tells the state of a service now and after every change, until the task is cancelled.
    ///
    /// - Throws: ``Draining``, `CancellationError`, or what `tell` throws.
    public func watch(
        _ service: String, _ tell: @EventLoop (Status) async throws -> Void
    ) async throws {
        let waiter = Waiter()
        let isKnown = services.contains(service)
        watchers[ObjectIdentifier(waiter)] = waiter
        if isKnown { startPolling() }
        defer {
            watchers[ObjectIdentifier(waiter)] = nil
            if isKnown { stopPolling() }
        }
        if isKnown, !isDraining { await renew() }
        var told: Status?
        while true {
            let status = isKnown ? known : .serviceUnknown
            if status != told {
                told = status
                try await tell(status)
            } else if isDraining {
                throw Draining()
            } else {
                try await waiter.wait()
            }
        }
    }

    private var known: Status { isWell && !isDraining ? .serving : .notServing }

    private func wakeAll() {
        for waiter in watchers.values { waiter.wake() }
    }

    // MARK: Questions

    private func renew() async {
        if let question {
            return await question.value
        }
        let question = EventLoop.task { [self] in
            // No answer in time is a bad one.
            let isWell = await EventLoop.result(within: patience) { [ask] in await ask() } ?? false
            if isWell != self.isWell {
                self.isWell = isWell
                wakeAll()
            }
            self.question = nil
        }
        self.question = question
        await question.value
    }

    /// Whether questions are asked by themselves.
    var isPolling: Bool { polling != nil }

    private func startPolling() {
        pollers += 1
        guard polling == nil else { return }
        polling = EventLoop.task { [self] in
            while !isDraining, (try? await EventLoop.sleep(for: interval)) != nil {
                await renew()
            }
        }
    }

    private func stopPolling() {
        pollers -= 1
        guard pollers == 0 else { return }
        polling?.cancel()
        polling = nil
    }
}
