import Glibc
import Logging
import SystemIO

/// A daemon between its start and its end: tells systemd, feeds its watchdog, and on SIGTERM or
/// SIGINT drains for a bounded time.
@EventLoop
public final class Lifecycle {
    /// The signals to block before any thread starts.
    public nonisolated static let signals = [SIGTERM, SIGINT, SIGHUP]

    /// After which what a start needs is not needed any more.
    private static let startTime: Duration = .seconds(1)

    private let logger: Logger
    private let drainTime: Duration
    private var watchdog: EventLoop.Timer?
    private var deadline: EventLoop.Timer?
    private var isStopping = false

    public init(_ logger: Logger, drainTime: Duration) {
        self.logger = logger
        self.drainTime = drainTime
    }

    /// Runs `serve` until it ends by itself, or until `drain`, called on a signal, makes it end.
    ///
    /// - Parameters:
    ///   - reload: called on SIGHUP.
    ///   - drain: begins to end `serve`; when that takes longer than the drain time, `serve` is
    ///     cancelled.
    public func run(
        drain: @escaping @EventLoop () -> Void, reload: @escaping @EventLoop () -> Void = {},
        _ serve: @escaping @Sendable @EventLoop () async throws -> Void
    ) async throws {
        let serving = EventLoop.task { try await serve() }
        let signals = try Signals(Self.signals) { [self] signal in
            if signal == SIGHUP { return reload() }
            stop(on: signal, serving, drain)
        }
        defer {
            signals.cancel()
            watchdog?.cancel()
            deadline?.cancel()
        }
        feedWatchdog()
        ServiceManager.notify("READY=1")
        let started = EventLoop.Timer(after: Self.startTime) {
            Heap.giveBack()
            ProgramPages.forgetStart()
        }
        defer { started.cancel() }
        do {
            try await serving.value
        } catch is CancellationError where isStopping {
            logger.warning("not everything had ended when the time was up")
        }
        if !isStopping { ServiceManager.notify("STOPPING=1") }
    }

    private func stop(
        on signal: CInt, _ serving: Task<Void, any Error>, _ drain: @EventLoop () -> Void
    ) {
        guard !isStopping else { return serving.cancel() }
        isStopping = true
        logger.info("stopping", metadata: ["signal": "\(signal == SIGTERM ? "TERM" : "INT")"])
        ServiceManager.notify("STOPPING=1")
        deadline = EventLoop.Timer(after: drainTime) { serving.cancel() }
        drain()
    }

    private func feedWatchdog() {
        guard let interval = ServiceManager.watchdogInterval else { return }
        ServiceManager.notify("WATCHDOG=1")
        watchdog = EventLoop.Timer(after: interval) { [weak self] in self?.feedWatchdog() }
    }
}
