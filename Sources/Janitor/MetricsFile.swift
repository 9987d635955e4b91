import Metrics
import RuntimeAPI
public import SystemIO

/// What a run came to, for node_exporter's textfile collector.
public struct MetricsFile: Hashable, Sendable {
    private let file: CollectedFile

    public init(_ path: String) { file = CollectedFile(path) }

    /// Puts the metrics in place of those before, readable for everybody.
    ///
    /// - Parameters:
    ///   - time: when the run ended, in seconds since 1970.
    ///   - duration: in seconds.
    /// - Throws: `SystemError`.
    public func write(
        _ summary: CleaningSummary, time: Int64, duration: Double
    ) throws(SystemError) {
        try file.replace(with: Self.text(summary, time: time, duration: duration))
    }

    static func text(_ summary: CleaningSummary, time: Int64, duration: Double) -> String {
        var metrics = MetricsText(prefix: "containerz_janitor_")
        func add(_ name: String, _ help: String, _ samples: MetricsText.Sample...) {
            metrics.add(.gauge, name, help, samples)
        }
        add("last_run_timestamp_seconds", "When the last run ended.", .init(time))
        add("last_run_duration_seconds", "How long the last run took.", .init(duration))
        add(
            "last_run_success", "Whether nothing failed in the last run.",
            .init(summary.isSuccess))
        metrics.add(
            .gauge, "removed", "Objects that the last run removed.",
            CleaningEntry.Kind.allCases.map {
                .init(summary.removed[$0] ?? 0, ["kind": $0.rawValue])
            })
        add(
            "reclaimed_bytes", "Bytes that what the last run removed took.",
            .init(summary.reclaimed))
        add("kept", "Objects that the last run left.", .init(summary.kept))
        add(
            "needed", "Objects that came into use while the last run was at it.",
            .init(summary.needed))
        add("failed", "Objects that the last run failed to remove.", .init(summary.failed))
        if let reached = summary.reachedLowWater {
            add(
                "low_water_reached",
                "Whether the last run, under storage pressure, freed enough.", .init(reached))
        }
        if let storage = summary.storage {
            add("storage_free_bytes", "Room left for images.", .init(storage.free))
            add("storage_size_bytes", "Size of the images' file system.", .init(storage.total))
        }
        return metrics.text
    }
}
