import ArgumentParser
import FoundationEssentials
import Glibc
import Janitor
import Logging
import Schedule
import SystemIO

/// Runs of the janitor, one at a time on the whole device, each reported in every way that was
/// asked for.
@EventLoop
final class CleaningSession {
    /// sysexits.h.
    private static let unavailable = ExitCode(EX_UNAVAILABLE)

    private let janitor: Janitor
    private let lock: String
    private let isDryRun: Bool
    private let json: Bool
    private let verbose: Bool
    private let metrics: MetricsFile?
    private let logger: Logger
    /// Whether each run leaves a record in the log, and not only on standard output.
    private let logsRuns: Bool
    private var isStopping = false
    private var sleep: Task<Bool, any Error>?

    nonisolated init(
        _ janitor: Janitor, lock: String, isDryRun: Bool, json: Bool, verbose: Bool,
        metrics: MetricsFile?, logger: Logger, logsRuns: Bool
    ) {
        self.janitor = janitor
        self.lock = lock
        self.isDryRun = isDryRun
        self.json = json
        self.verbose = verbose
        self.metrics = metrics
        self.logger = logger
        self.logsRuns = logsRuns
    }

    /// Ends after what is under way.
    func stop() {
        isStopping = true
        janitor.stop()
        sleep?.cancel()
    }

    /// Cleans up now.
    ///
    /// - Throws: what keeps it from beginning, or from reporting.
    func runOnce() async throws -> ExitCode {
        // A dry run changes nothing, and is in nobody's way.
        guard !isDryRun else { return try await clean() }
        guard let held = try RunLock.take(lock) else {
            logger.notice("another cz-janitor is at it", metadata: ["lock": "\(lock)"])
            return .success
        }
        defer { withExtendedLifetime(held) {} }
        return try await clean()
    }

    /// Cleans up whenever the schedule says so, until it is stopped. A run that takes longer than
    /// that leaves out the times that pass meanwhile.
    func run(on schedule: CronSchedule, jitter: Int64) async throws {
        while !isStopping, let due = schedule.next(after: Self.now) {
            let start = due + Int64.random(in: 0...jitter)
            logger.info(
                "waiting",
                metadata: [
                    "until": "\(Date(timeIntervalSince1970: Double(start)).formatted(.iso8601))"
                ])
            let sleep = EventLoop.task { try await WallClock.sleep(until: start) }
            self.sleep = sleep
            do {
                // When the clock was set, the time is another.
                guard try await sleep.value else { continue }
            } catch is CancellationError where isStopping {
                return
            }
            do {
                _ = try await runOnce()
            } catch {
                logger.error("it could not clean up", metadata: ["reason": "\(error)"])
            }
        }
    }

    private static var now: Int64 { Int64(Date.now.timeIntervalSince1970) }

    private func clean() async throws -> ExitCode {
        let start = ContinuousClock.now
        var report = CleaningReport(json: json, verbose: verbose)
        let summary = try await janitor.run(isDryRun: isDryRun) { try report.add($0) }
        try report.finish(summary)
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        let duration = Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1000
        if logsRuns, !isDryRun { log(summary) }
        var code: ExitCode = summary.isSuccess ? .success : .failure
        if let metrics, !isDryRun {
            do throws(SystemError) {
                try metrics.write(summary, time: Self.now, duration: duration)
            } catch {
                StandardError.write(line: "cz-janitor: metrics: \(error)")
                code = .failure
            }
        }
        if let failure = summary.runtimeFailure {
            if !logsRuns || isDryRun {
                StandardError.write(line: "cz-janitor: \(failure.message)")
            }
            if failure.isUnavailable { code = Self.unavailable }
        }
        return code
    }

    private func log(_ summary: CleaningSummary) {
        var fields: Logger.Metadata = [
            "bytes": .stringConvertible(summary.reclaimed),
            "kept": .stringConvertible(summary.kept),
            "needed": .stringConvertible(summary.needed),
            "failed": .stringConvertible(summary.failed),
        ]
        for kind in CleaningEntry.Kind.allCases {
            if let count = summary.removed[kind] {
                fields["\(kind.rawValue)s"] = .stringConvertible(count)
            }
        }
        if let reached = summary.reachedLowWater {
            fields["low-water"] = .stringConvertible(reached)
        }
        if let failure = summary.runtimeFailure { fields["reason"] = "\(failure.message)" }
        logger.log(
            level: summary.isSuccess ? .info : .warning,
            summary.isSuccess ? "cleaned up" : "cleaned up in part", metadata: fields)
    }
}
