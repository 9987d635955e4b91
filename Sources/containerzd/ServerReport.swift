import GRPCCore
import GRPCTransport
import Logging
import Metrics
import ServerMetrics
import SystemIO

/// What the server counts, and the file where it keeps that.
@EventLoop
struct ServerReport {
    let metrics: RPCMetrics
    let report: MetricsReport

    init(_ path: String, of services: [any RegistrableRPCService], logger: Logger) {
        var router = RPCRouter<HTTP2ServerTransport>()
        for service in services { service.registerMethods(with: &router) }
        let metrics = RPCMetrics(of: router.methods)
        let report = MetricsReport(CollectedFile(path), logger: logger) { metrics.text }
        metrics.onChange = { [weak report] in report?.changed() }
        (self.metrics, self.report) = (metrics, report)
    }
}
