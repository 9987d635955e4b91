import FoundationEssentials
import Logging
import Synchronization
import SystemIO
import Testing

@testable import Metrics

@Suite("Files of metrics")
@EventLoop
struct MetricsReportTests {
    private let folder = URL.temporaryDirectory.appending(path: "metrics.\(UUID().uuidString)").path
    private var path: String { "\(folder)/a.prom" }
    private let warnings = Warnings()

    private func report(every interval: Duration, _ source: Source) -> MetricsReport {
        let logger = Logger(label: "test") { [warnings] _ in WarningTaker(warnings: warnings) }
        return MetricsReport(CollectedFile(path), every: interval, logger: logger) {
            source.asked += 1
            return source.value ?? "\(source.asked)"
        }
    }

    private func makeFolder() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

    private func written() -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private func wait(for text: String) async throws {
        while written() != text { try await EventLoop.sleep(for: .milliseconds(5)) }
    }

    @Test(
        "They are written at the start, some time after changes, and at the end",
        .timeLimit(.minutes(1)))
    func life() async throws {
        try makeFolder()
        defer { removeFolder() }
        let source = Source("first")
        let report = report(every: .milliseconds(100), source)
        report.begin()
        try await wait(for: "first")
        source.value = "second"
        for _ in 1...10 { report.changed() }
        #expect(written() == "first")
        try await wait(for: "second")
        #expect(source.asked == 2)
        try await EventLoop.sleep(for: .milliseconds(250))
        #expect(source.asked == 2, "nothing has changed since")
        source.value = "third"
        report.changed()
        await report.end()
        #expect(written() == "third" && source.asked == 3)
        await report.end()
        report.changed()
        try await EventLoop.sleep(for: .milliseconds(250))
        #expect(source.asked == 3)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.prom"])
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o644)
    }

    @Test(
        "A file that cannot be written is complained of once, until it can be",
        .timeLimit(.minutes(1)))
    func failure() async throws {
        defer { removeFolder() }
        let source = Source(nil)
        let report = report(every: .milliseconds(1), source)
        func write() async throws {
            let before = source.asked
            report.changed()
            while source.asked == before { try await EventLoop.sleep(for: .milliseconds(2)) }
            // The write itself comes after the question.
            try await EventLoop.sleep(for: .milliseconds(50))
        }
        for _ in 1...3 { try await write() }
        #expect(warnings.count == 1)
        try makeFolder()
        try await write()
        #expect(written() == "4" && warnings.count == 1)
        removeFolder()
        for _ in 1...2 { try await write() }
        #expect(warnings.count == 2)
        try makeFolder()
        await report.end()
        #expect(written() == "7", "what is missing is written at the end")
    }
}

@EventLoop
private final class Source {
    /// The text; nil for the number of times that it was asked for.
    var value: String?
    var asked = 0

    init(_ value: String?) { self.value = value }
}

private final class Warnings: Sendable {
    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }
    func add() { number.withLock { $0 += 1 } }
}

private struct WarningTaker: LogHandler {
    let warnings: Warnings
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level == .warning { warnings.add() }
    }
}
