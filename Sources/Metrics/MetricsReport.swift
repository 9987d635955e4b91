public import Logging
public import SystemIO

/// Keeps a file with a daemon's metrics up to date: some time after they changed, so that a daemon
/// that is idle does nothing, and one that is busy writes now and then.
@EventLoop
public final class MetricsReport {
    private let file: CollectedFile
    private let interval: Duration
    private let logger: Logger
    private let metrics: @EventLoop () async -> String

    /// Whether the metrics have changed since they were asked for.
    private var isStale = false
    /// Whether they could not be written the last time.
    private var hasFailed = false
    private var hasEnded = false
    private var timer: EventLoop.Timer?
    private var writing: Task<Void, Never>?

    /// - Parameters:
    ///   - interval: from a change until it is written.
    ///   - logger: told once when the file cannot be written, until it can be again.
    ///   - metrics: their text as of now.
    public init(
        _ file: CollectedFile, every interval: Duration = .seconds(15), logger: Logger,
        _ metrics: @escaping @EventLoop () async -> String
    ) {
        self.file = file
        self.interval = interval
        self.logger = logger
        self.metrics = metrics
    }

    /// Writes the first ones now, so that a file that cannot be written shows at once.
    public func begin() { startWriting() }

    /// Says that the metrics are other ones now.
    public func changed() {
        isStale = true
        schedule()
    }

    /// Writes the last ones, if the file has not got them yet; changes after that go unnoticed.
    public func end() async {
        hasEnded = true
        timer?.cancel()
        timer = nil
        await writing?.value
        if isStale || hasFailed { await write() }
    }

    /// Runs `body` between ``begin()`` and ``end()`` of a report, where there is one.
    ///
    /// - Throws: what `body` throws.
    public static func keep(
        _ report: MetricsReport?, during body: @EventLoop () async throws -> Void
    ) async throws {
        report?.begin()
        do {
            try await body()
        } catch {
            await report?.end()
            throw error
        }
        await report?.end()
    }

    private func schedule() {
        guard !hasEnded, timer == nil, writing == nil else { return }
        timer = EventLoop.Timer(after: interval) { [weak self] in
            guard let self else { return }
            timer = nil
            if isStale { startWriting() }
        }
    }

    private func startWriting() {
        guard writing == nil else { return }
        writing = EventLoop.task { [self] in
            await write()
            writing = nil
            if isStale { schedule() }
        }
    }

    private func write() async {
        // First, since they may change again while they are put together and written.
        isStale = false
        let (file, text) = (file, await metrics())
        do {
            // A disk may take its time, which the network should not have to wait for.
            try await withOwnThread(named: "metrics") { try file.replace(with: text) }
            hasFailed = false
        } catch {
            if !hasFailed {
                logger.warning("metrics cannot be written", metadata: ["reason": "\(error)"])
            }
            hasFailed = true
        }
    }
}
