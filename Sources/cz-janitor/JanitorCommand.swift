import ArgumentParser
import Cleaning
import Daemon
import Janitor
import Logging
import RuntimeAPI
import Schedule
import SystemIO

extension LogFormat: ExpressibleByArgument {}

struct JanitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz-janitor",
        abstract: "Remove containers, images and files that nobody needs any more.",
        discussion: """
            Without --schedule it cleans up once. Times are 30s, 10m, 1h or 7d, sizes 500M or 2G.

            Exit codes: 0 done, also when another cz-janitor is at it; 1 something failed, or the \
            low-water mark could not be reached; 64 usage; 69 cz-runtime or its engine cannot be \
            reached.
            """,
        version: containerzVersion)

    @Option(
        help: ArgumentHelp(
            "cz-runtime's socket; \(RuntimeSocket.usual) or \(RuntimeSocket.variable) when not given.",
            valueName: "path"))
    var runtimeSocket: String?

    @OptionGroup(title: "What goes") var rules: RuleOptions
    @OptionGroup(title: "Files") var stores: StoreOptions
    @OptionGroup(title: "When") var timing: TimingOptions

    @Flag(
        name: [.customLong("dry-run"), .customShort("n")],
        help: "Remove nothing, and say what would go.")
    var isDryRun = false

    @Flag(help: "Print a JSON object a line.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print what stays, too.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            "Where to put metrics of the last run, in Prometheus's text format.",
            valueName: "file"))
    var metricsFile: String?

    @Option(help: "How to write the log: text, json or journal.")
    var logFormat: LogFormat?

    /// What a removal under way gets after SIGTERM.
    private static let drainTime: Duration = .seconds(20)

    func run() throws {
        let path = runtimeSocket ?? RuntimeSocket.current
        let format = logFormat ?? .suitable
        let logger = Logger(label: "cz-janitor") { DaemonLogHandler(label: $0, format: format) }
        let janitor = Janitor(
            RuntimeClient(.unix(path: path)), rules.rules, stores.stores)
        let session = CleaningSession(
            janitor, lock: timing.lock, isDryRun: isDryRun, json: json, verbose: verbose,
            metrics: metricsFile.map { MetricsFile($0) }, logger: logger,
            // To who runs it by hand the totals are enough.
            logsRuns: format != .text || timing.schedule != nil)
        let schedule = try timing.cronSchedule().map {
            ($0, jitter: timing.jitter?.seconds ?? 0)
        }
        let code = EventLoopExecutor.run { @EventLoop () -> ExitCode in
            do {
                var code = ExitCode.success
                try await Lifecycle(logger, drainTime: Self.drainTime).run {
                    session.stop()
                } _: {
                    if let schedule {
                        try await session.run(on: schedule.0, jitter: schedule.jitter)
                    } else {
                        code = try await session.runOnce()
                    }
                }
                return code
            } catch {
                StandardError.write(line: "cz-janitor: \(error)")
                return .failure
            }
        }
        if code != .success { throw code }
    }
}
