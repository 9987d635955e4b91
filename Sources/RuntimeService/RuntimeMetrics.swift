public import ContainerUpdate
import Glibc
import Metrics
public import SystemIO
public import Varlink

/// Counts what cz-runtime does, and says how its engine is.
@EventLoop
public final class RuntimeMetrics {
    /// What methods that are not served count as: a client can make up any name.
    private static let foreign = "other"

    private struct Ending: Hashable, Comparable {
        var method: String
        var outcome: String

        static func < (left: Ending, right: Ending) -> Bool {
            (left.method, left.outcome) < (right.method, right.outcome)
        }
    }

    private let engines: EngineConnector
    private let updater: Updater
    private let startTime = time(nil)
    private var endings: [Ending: Int] = [:]

    /// Called after each call that was counted.
    public var onChange: (@EventLoop () -> Void)?

    public init(_ engines: EngineConnector, _ updater: Updater) {
        self.engines = engines
        self.updater = updater
    }

    /// Counts a call that is over.
    public func count(_ call: AnsweredCall) {
        let outcome =
            switch call.outcome {
            case .done: "ok"
            case .failed(let name): name
            case .brokenOff: "cancelled"
            }
        endings[Ending(method: call.method ?? Self.foreign, outcome: outcome), default: 0] += 1
        onChange?()
    }

    /// All of it, in Prometheus's text format; asks the engine whether it answers.
    public func text() async -> String {
        let engine = await engines.probe()
        var metrics = MetricsText(prefix: "containerz_runtime_")
        metrics.add(.gauge, "start_time_seconds", "When cz-runtime started.", .init(startTime))
        metrics.add(
            .counter, "calls_total", "Calls that are over, by method and outcome.",
            endings.sorted { $0.key < $1.key }.map {
                .init($0.value, ["method": $0.key.method, "outcome": $0.key.outcome])
            })
        let totals = updater.totals
        metrics.add(
            .counter, "updates_total", "Updates of containers that are over, by result.",
            [
                .init(totals.finished, ["result": "finished"]),
                .init(totals.rolledBack, ["result": "rolled_back"]),
                .init(totals.failed, ["result": "failed"]),
            ])
        metrics.add(
            .gauge, "updates_under_way", "Containers that are being updated.",
            .init(updater.countUnderWay))
        metrics.add(.gauge, "engine_up", "Whether the engine answered.", .init(engine != nil))
        if let storage = engine?.storage {
            metrics.add(.gauge, "storage_free_bytes", "Room left for images.", .init(storage.free))
            metrics.add(
                .gauge, "storage_size_bytes", "Size of the images' file system.",
                .init(storage.total))
        }
        return metrics.text
    }
}
