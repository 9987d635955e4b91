import GRPCCore
import SystemIO
import Testing

@testable import GRPCTransport
@testable import ServerMetrics

@Suite("Metrics of RPCs")
@EventLoop
struct RPCMetricsTests {
    private let metrics = RPCMetrics(
        of: [MethodDescriptor(fullyQualifiedService: "s.S", method: "Get")], startTime: 100)

    private func call(_ service: String, _ method: String, _ change: (CallRecord) -> Void) {
        let record = CallRecord(
            MethodDescriptor(fullyQualifiedService: service, method: method),
            PeerIdentity(isSecure: true), remotePeer: "a", localPeer: "b")
        change(record)
        metrics.count(.callBegan)
        metrics.count(record)
    }

    @Test("RPCs count by method and code, and those that are not served as one")
    func calls() {
        for code in [Status.Code.ok, .ok, .notFound] {
            call("s.S", "Get") {
                $0.receive(10)
                $0.send(100)
                $0.end(Status(code: code, message: ""))
            }
        }
        call("s.S", "Get") { $0.broke() }
        for number in 1...100 {
            call("s.S\(number)", "Get\"\n") { $0.end(Status(code: .unimplemented, message: "")) }
        }
        metrics.count(.callBegan)
        let lines = metrics.text.split(separator: "\n")
        #expect(
            lines.filter { $0.hasPrefix("containerz_rpc") } == [
                #"containerz_rpcs_total{method="other",code="unimplemented"} 100"#,
                #"containerz_rpcs_total{method="s.S/Get",code="cancelled"} 1"#,
                #"containerz_rpcs_total{method="s.S/Get",code="notFound"} 1"#,
                #"containerz_rpcs_total{method="s.S/Get",code="ok"} 2"#,
                "containerz_rpcs_under_way 1",
                #"containerz_rpc_received_bytes_total{method="other"} 0"#,
                #"containerz_rpc_received_bytes_total{method="s.S/Get"} 30"#,
                #"containerz_rpc_sent_bytes_total{method="other"} 0"#,
                #"containerz_rpc_sent_bytes_total{method="s.S/Get"} 300"#,
            ])
    }

    @Test("Connections count, and every change is told")
    func connections() {
        var changes = 0
        metrics.onChange = { changes += 1 }
        for _ in 1...3 { metrics.count(.connectionOpened) }
        metrics.count(.connectionClosed(inGoodOrder: true))
        metrics.count(.connectionClosed(inGoodOrder: false))
        metrics.count(.connectionRefused)
        #expect(changes == 6)
        for line in [
            "containerz_start_time_seconds 100", "containerz_connections_open 1",
            "containerz_connections_accepted_total 3", "containerz_connections_dropped_total 1",
            "containerz_connections_refused_total 1",
        ] { #expect(metrics.text.contains("\n\(line)\n"), "\(line)") }
    }
}
