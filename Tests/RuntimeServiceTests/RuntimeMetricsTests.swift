import ContainerEngine
import ContainerUpdate
import DevicePolicy
import FoundationEssentials
import Logging
import OCI
import RuntimeAPI
import SystemIO
import Testing
import Varlink

@testable import RuntimeService

@Suite("Metrics of cz-runtime")
@EventLoop
struct RuntimeMetricsTests {
    private final class NoPolicy: PolicyProvider {
        let policy = DevicePolicy.default
        let reserved: [ReservedPaths.Entry] = []
        func requireSignature(of image: ImageName, _ digest: Digest) throws(RuntimeError) {}
    }

    @Test("Calls count by method and outcome, and those that are not served as one")
    func text() async throws {
        let folder = URL.temporaryDirectory.appending(path: "runtime.\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let engines = EngineConnector(
            .docker, socket: "\(folder)/none.sock", policies: NoPolicy(),
            history: try FolderHistory(nil), logger: logger)
        let updater = Updater(
            engines, journal: try UpdateJournal(folder), proof: Proof(), logger: logger)
        let metrics = RuntimeMetrics(engines, updater)
        var changes = 0
        metrics.onChange = { changes += 1 }
        for outcome in [AnsweredCall.Outcome.done, .done, .failed("a.B"), .brokenOff] {
            metrics.count(AnsweredCall(method: "a.Get", outcome: outcome))
        }
        metrics.count(AnsweredCall(method: nil, outcome: .failed("s.MethodNotFound")))
        #expect(changes == 5)
        await #expect(throws: RuntimeError.self) {
            try await updater.update(
                "web", to: ImageName(repository: "a", tag: "1"), ContainerSpec(), detach: false)
        }
        let lines = await metrics.text().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.first?.hasPrefix("containerz_runtime_start_time_seconds ") == true)
        #expect(
            lines.dropFirst() == [
                #"containerz_runtime_calls_total{method="a.Get",outcome="a.B"} 1"#,
                #"containerz_runtime_calls_total{method="a.Get",outcome="cancelled"} 1"#,
                #"containerz_runtime_calls_total{method="a.Get",outcome="ok"} 2"#,
                #"containerz_runtime_calls_total{method="other",outcome="s.MethodNotFound"} 1"#,
                #"containerz_runtime_updates_total{result="finished"} 0"#,
                #"containerz_runtime_updates_total{result="rolled_back"} 0"#,
                #"containerz_runtime_updates_total{result="failed"} 1"#,
                "containerz_runtime_updates_under_way 0", "containerz_runtime_engine_up 0",
            ])
    }
}
