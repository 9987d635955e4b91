import Cleaning
import FoundationEssentials
import RuntimeAPI
import Testing

@testable import Janitor

@Suite("Metrics")
struct MetricsTests {
    private func summary() -> CleaningSummary {
        var summary = CleaningSummary(isDryRun: false)
        let image = ImageUse(id: "sha256:a", size: 1000)
        summary.add(CleaningEntry(Decision(.image(image), .remove(.untagged)), .removed))
        summary.add(CleaningEntry(Decision(.image(image), .remove(.untagged)), .failed("no")))
        summary.add(CleaningEntry(Decision(.image(image), .keep(.running)), .kept))
        summary.storage = .init(free: 5, total: 10)
        return summary
    }

    @Test("Dashboards rely on every byte of it")
    func everyByte() {
        var summary = summary()
        summary.reachedLowWater = true
        #expect(
            MetricsFile.text(summary, time: 100, duration: 1.5) == """
                # HELP containerz_janitor_last_run_timestamp_seconds When the last run ended.
                # TYPE containerz_janitor_last_run_timestamp_seconds gauge
                containerz_janitor_last_run_timestamp_seconds 100
                # HELP containerz_janitor_last_run_duration_seconds How long the last run took.
                # TYPE containerz_janitor_last_run_duration_seconds gauge
                containerz_janitor_last_run_duration_seconds 1.5
                # HELP containerz_janitor_last_run_success Whether nothing failed in the last run.
                # TYPE containerz_janitor_last_run_success gauge
                containerz_janitor_last_run_success 0
                # HELP containerz_janitor_removed Objects that the last run removed.
                # TYPE containerz_janitor_removed gauge
                containerz_janitor_removed{kind="container"} 0
                containerz_janitor_removed{kind="image"} 1
                containerz_janitor_removed{kind="volume"} 0
                containerz_janitor_removed{kind="tarball"} 0
                containerz_janitor_removed{kind="partial"} 0
                containerz_janitor_removed{kind="blob"} 0
                # HELP containerz_janitor_reclaimed_bytes Bytes that what the last run removed took.
                # TYPE containerz_janitor_reclaimed_bytes gauge
                containerz_janitor_reclaimed_bytes 1000
                # HELP containerz_janitor_kept Objects that the last run left.
                # TYPE containerz_janitor_kept gauge
                containerz_janitor_kept 1
                # HELP containerz_janitor_needed Objects that came into use while the last run was at it.
                # TYPE containerz_janitor_needed gauge
                containerz_janitor_needed 0
                # HELP containerz_janitor_failed Objects that the last run failed to remove.
                # TYPE containerz_janitor_failed gauge
                containerz_janitor_failed 1
                # HELP containerz_janitor_low_water_reached Whether the last run, under storage pressure, freed enough.
                # TYPE containerz_janitor_low_water_reached gauge
                containerz_janitor_low_water_reached 1
                # HELP containerz_janitor_storage_free_bytes Room left for images.
                # TYPE containerz_janitor_storage_free_bytes gauge
                containerz_janitor_storage_free_bytes 5
                # HELP containerz_janitor_storage_size_bytes Size of the images' file system.
                # TYPE containerz_janitor_storage_size_bytes gauge
                containerz_janitor_storage_size_bytes 10

                """)
    }

    @Test("They take the place of those before, for everybody to read")
    func file() throws {
        let folder = URL.temporaryDirectory.appending(path: "metrics.\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for time in [100, 200] as [Int64] {
            try MetricsFile("\(folder)/janitor.prom").write(summary(), time: time, duration: 1)
        }
        let text = try String(contentsOf: URL(filePath: "\(folder)/janitor.prom"), encoding: .utf8)
        #expect(text.contains("timestamp_seconds 200\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["janitor.prom"])
    }
}
