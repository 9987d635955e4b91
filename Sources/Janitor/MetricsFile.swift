import RuntimeAPI
import SystemIO

/// What a run came to, in Prometheus's text format, for node_exporter's textfile collector.
public struct MetricsFile: Hashable, Sendable {
    private let folder: String
    private let name: String

    public init(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        name = parts.last.map(String.init) ?? ""
        let above = parts.dropLast().joined(separator: "/")
        folder = path.hasPrefix("/") ? "/\(above)" : above.isEmpty ? "." : above
    }

    /// Puts the metrics in place of those before, readable for everybody.
    ///
    /// - Parameters:
    ///   - time: when the run ended, in seconds since 1970.
    ///   - duration: in seconds.
    /// - Throws: `SystemError`.
    public func write(
        _ summary: CleaningSummary, time: Int64, duration: Double
    ) throws(SystemError) {
        let text = Self.text(summary, time: time, duration: duration)
        try Folder(existing: folder).replace(name, with: Array(text.utf8), mode: 0o644)
    }

    static func text(_ summary: CleaningSummary, time: Int64, duration: Double) -> String {
        var text = ""
        func add(_ name: String, _ help: String, _ samples: [(labels: String, value: String)]) {
            text += "# HELP containerz_janitor_\(name) \(help)\n"
            text += "# TYPE containerz_janitor_\(name) gauge\n"
            for sample in samples {
                text += "containerz_janitor_\(name)\(sample.labels) \(sample.value)\n"
            }
        }
        add("last_run_timestamp_seconds", "When the last run ended.", [("", "\(time)")])
        add("last_run_duration_seconds", "How long the last run took.", [("", "\(duration)")])
        add(
            "last_run_success", "Whether nothing failed in the last run.",
            [("", summary.isSuccess ? "1" : "0")])
        add(
            "removed", "Objects that the last run removed.",
            CleaningEntry.Kind.allCases.map {
                (#"{kind="\#($0.rawValue)"}"#, "\(summary.removed[$0] ?? 0)")
            })
        add(
            "reclaimed_bytes", "Bytes that what the last run removed took.",
            [("", "\(summary.reclaimed)")])
        add("kept", "Objects that the last run left.", [("", "\(summary.kept)")])
        add(
            "needed", "Objects that came into use while the last run was at it.",
            [("", "\(summary.needed)")])
        add("failed", "Objects that the last run failed to remove.", [("", "\(summary.failed)")])
        if let reached = summary.reachedLowWater {
            add(
                "low_water_reached",
                "Whether the last run, under storage pressure, freed enough.",
                [("", reached ? "1" : "0")])
        }
        if let storage = summary.storage {
            add("storage_free_bytes", "Room left for images.", [("", "\(storage.free)")])
            add(
                "storage_size_bytes", "Size of the images' file system.", [("", "\(storage.total)")]
            )
        }
        return text
    }
}
