import ArgumentParser
import ContainerEngine
import ContainerUpdate
import Daemon
import DevicePolicy
import Glibc
import Logging
import Metrics
import RuntimeAPI
import RuntimeService
import SystemIO
import Varlink

extension LogFormat: ExpressibleByArgument {}

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve org.containerz.Runtime on a unix socket.")

    enum Engine: String, CaseIterable, ExpressibleByArgument {
        case auto
        case docker
        case podman
    }

    @Option(help: "The socket to serve on, unless systemd passes one.")
    var socket = RuntimeSocket.usual

    @Option(
        help: ArgumentHelp(
            "Group whose members can connect to the socket (default: \(defaultGroup) if it exists).",
            valueName: "group"))
    var socketGroup: String?

    @Option(help: "The engine; auto is the first that answers.")
    var engine = Engine.auto

    @Option(help: "The engine's socket, in place of the usual ones.")
    var engineSocket: String?

    @Option(help: "Where the state of updates and the use of images is kept.")
    var stateDir = "/var/lib/containerz"

    @Option(
        help: ArgumentHelp(
            "How long a new version without a health check has to run before the old one goes.",
            valueName: "seconds"))
    var settleTime = 3.0

    @Option(
        help: ArgumentHelp(
            "What containers may do; \(PolicyFile.usualPath) if it is there.", valueName: "file"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Where to keep metrics, in Prometheus's text format.", valueName: "path"))
    var metricsFile: String?

    @Option(help: "How to write the log: text, json or journal.")
    var logFormat: LogFormat?

    private static let defaultGroup = "containerz-runtime"

    func validate() throws {
        if let socketGroup, UserGroup.identifier(of: socketGroup) == nil {
            throw ValidationError("--socket-group: there is no group '\(socketGroup)'")
        }
        guard settleTime.isFinite, (0...3600).contains(settleTime) else {
            throw ValidationError("--settle-time: \(settleTime) is not from 0 to 3600")
        }
    }

    func run() throws {
        let format = logFormat ?? .suitable
        let logger = Logger(label: "cz-runtime") { label in
            var handler = DaemonLogHandler(label: label, format: format)
            handler.metadataProvider = RuntimeService.callerMetadata
            return handler
        }
        let dialect = EngineDialect(rawValue: engine.rawValue)
        let group = UserGroup.identifier(of: socketGroup ?? Self.defaultGroup)
        let (path, engineSocket, state) = (socket, engineSocket, stateDir)
        let policyFile = PolicyFile(policy)
        let metricsFile = metricsFile
        var proof = Proof()
        proof.settleTime = .milliseconds(Int64(settleTime * 1000))
        let failure: String? = EventLoopExecutor.run { @EventLoop [proof] in
            do {
                let policies = try PolicyKeeper(
                    policyFile, try SignatureStore("\(state)/signatures"),
                    ownFolders: [
                        .init(state, "the state of cz-runtime"),
                        .init(path, "the socket of cz-runtime"),
                    ], logger: logger)
                let engines = EngineConnector(
                    dialect, socket: engineSocket, policies: policies,
                    history: try FolderHistory(state), logger: logger)
                let updater = Updater(
                    engines, journal: try UpdateJournal("\(state)/updates"), proof: proof,
                    logger: logger)
                let records = try UseRecords(state, logger: logger)
                let counted = metricsFile.map {
                    RuntimeReport($0, engines, updater, logger: logger)
                }
                let listeners = try await Self.listeners(path, group)
                let mounts = MountWatch(engines, logger: logger)
                let watching = EventLoop.task { await mounts.run() }
                let result: Result<Void, any Error>
                do {
                    try await serve(
                        on: listeners,
                        RuntimeService(engines, updater, policies, records, logger: logger),
                        updater, policies, counted, logger)
                    result = .success(())
                } catch {
                    result = .failure(error)
                }
                watching.cancel()
                await watching.value
                await records.flush()
                try result.get()
                return nil
            } catch {
                return "\(error)"
            }
        }
        if let failure {
            logger.error("\(failure)")
            throw ExitCode.failure
        }
    }

    @EventLoop
    private static func listeners(_ path: String, _ group: gid_t?) async throws -> [Listener] {
        let passed = ServiceManager.takeListeningSockets()
        guard passed.isEmpty else {
            return try passed.map { try Listener(adopting: Descriptor(owning: $0.number)) }
        }
        return [try await Listener.bind(to: .unix(path: path), group: group)]
    }

    /// What is under way gets this long after SIGTERM; a container that is being stopped is
    /// given 10 seconds, and is killed then.
    private static let drainTime: Duration = .seconds(20)

    @EventLoop
    private func serve(
        on listeners: [Listener], _ service: RuntimeService, _ updater: Updater,
        _ policies: PolicyKeeper, _ counted: RuntimeReport?, _ logger: Logger
    ) async throws {
        updater.recover()
        let server = Server(
            ServiceInformation(
                vendor: "containerz", product: "cz-runtime", version: containerzVersion,
                url: "https://varlink.org"),
            serving: [service.interface()],
            onCallEnd: {
                counted?.metrics.count($0)
                service.report($0)
            }
        ) { reason in
            let level: Logger.Level = reason is Server.TooManyConnections ? .warning : .debug
            logger.log(level: level, "a connection ended", metadata: ["reason": "\(reason)"])
        }
        for listener in listeners {
            logger.info("serving", metadata: ["address": "\(listener.address)"])
        }
        try await MetricsReport.keep(counted?.report) {
            try await Lifecycle(logger, drainTime: Self.drainTime).run {
                service.drain()
                server.beginGracefulShutdown()
            } reload: {
                policies.reload()
            } _: {
                try await server.serve(on: listeners)
            }
        }
    }
}
