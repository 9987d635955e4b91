import ContainerUpdate
import Logging
import Metrics
import RuntimeService
import SystemIO

/// What the service counts, and the file where it keeps that.
@EventLoop
struct RuntimeReport {
    let metrics: RuntimeMetrics
    let report: MetricsReport

    init(_ path: String, _ engines: EngineConnector, _ updater: Updater, logger: Logger) {
        let metrics = RuntimeMetrics(engines, updater)
        let report = MetricsReport(CollectedFile(path), logger: logger) { await metrics.text() }
        metrics.onChange = { [weak report] in report?.changed() }
        updater.onChange = { [weak report] in report?.changed() }
        (self.metrics, self.report) = (metrics, report)
    }
}
