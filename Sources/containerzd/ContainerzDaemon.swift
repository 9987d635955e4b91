import AccessControl
import ArgumentParser
import ContainerzService
import Daemon
import GRPCCore
import GRPCReflection
import GRPCTransport
import Glibc
import HealthService
import Logging
import Metrics
import PackageUpgrade
import RuntimeAPI
import ServerMetrics
import SystemIO

extension LogFormat: ExpressibleByArgument {}

struct ContainerzDaemon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "containerzd",
        abstract: "Serve gNOI Containerz on the network, through cz-runtime.",
        discussion: """
            ADDR is HOST:PORT, [V6]:PORT or unix:PATH. Sockets passed by systemd are served \
            instead of these.

            Every client on the network has to show a certificate that the client CA signed, or a \
            username and password where there is a password file. What it may call is the \
            authorization policy's to say.
            """,
        version: containerzVersion, subcommands: [AuthzCommand.self])

    @Option(
        help: ArgumentHelp(
            "Where to listen, any number of times; [::]:9339 when not given.", valueName: "addr"))
    var listen: [String] = []

    @Option(help: ArgumentHelp("cz-runtime's socket.", valueName: "path"))
    var runtimeSocket = RuntimeSocket.usual

    @OptionGroup(title: "Certificates") var certificates: CertificateOptions

    @Option(
        help: ArgumentHelp(
            "Who may call what; \(AccessFiles.usualPolicy) when not given.", valueName: "file"))
    var authzPolicy: String?

    @Option(
        help: ArgumentHelp(
            "Names and hashed passwords of clients that may log in so.", valueName: "file"))
    var passwdFile: String?

    @Flag(help: "No TLS and no authentication, on loopback and unix sockets only.")
    var insecure = false

    @Option(help: ArgumentHelp("Bytes of an image a client should send at a time.", valueName: "n"))
    var chunkSize = ContainerzService.Configuration().chunkSize

    @Option(help: ArgumentHelp("Where tarballs of plugins are kept.", valueName: "path"))
    var pluginDir = ContainerzService.Configuration().pluginFolder

    @Option(
        help: ArgumentHelp(
            "Where to keep metrics, in Prometheus's text format.", valueName: "path"))
    var metricsFile: String?

    @Option(help: "How to write the log: text, json or journal.")
    var logFormat: LogFormat?

    @OptionGroup(title: "Images that the device fetches") var pull: PullOptions

    @OptionGroup(title: "Upgrades of this software") var upgrade: UpgradeOptions

    @OptionGroup(title: "Limits") var limits: LimitOptions

    private static let defaultAddress = "[::]:9339"
    private static let localAddress = "unix:/run/containerz/containerzd.sock"

    func validate() throws {
        for address in listen {
            do throws(SocketAddressError) {
                _ = try SocketAddress(parsing: address)
            } catch {
                throw ValidationError("--listen: \(error)")
            }
        }
        guard certificates.certificate == nil || certificates.clientCA != nil || passwdFile != nil
        else {
            throw ValidationError(
                "--tls-cert needs --client-ca or --passwd-file, or nobody could be let in")
        }
        guard !insecure || passwdFile == nil else {
            throw ValidationError(
                "--insecure and --passwd-file exclude each other: no password travels without TLS")
        }
        guard !insecure || !certificates.areGiven else {
            throw ValidationError("--insecure and --tls-cert or --tls-dir exclude each other")
        }
        guard ContainerzService.Configuration.chunkSizes.contains(chunkSize) else {
            let sizes = ContainerzService.Configuration.chunkSizes
            throw ValidationError(
                "--chunk-size: \(chunkSize) is not from \(sizes.lowerBound) to \(sizes.upperBound)")
        }
    }

    func run() throws {
        let format = logFormat ?? .suitable
        let logger = Logger(label: "containerzd") { DaemonLogHandler(label: $0, format: format) }
        let auditLogger = Logger(label: "containerzd-audit") {
            DaemonLogHandler(label: $0, format: format)
        }
        let failure: String? = EventLoopExecutor.run { @EventLoop in
            do {
                try await serve(logger, audit: auditLogger)
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

    /// Time for what is under way after SIGTERM.
    private static let drainTime: Duration = .seconds(20)

    @EventLoop
    private func serve(_ logger: Logger, audit auditLogger: Logger) async throws {
        let tls = certificates.configuration(requiresClientCertificate: passwdFile == nil)
        let access = try AccessFiles(
            policy: authzPolicy ?? (insecure ? nil : AccessFiles.usualPolicy),
            passwords: passwdFile, tls: tls, logger: logger)
        let endpoints = try await endpoints(tls, logger)
        let audit = AuditLog(auditLogger)
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.drainTimeout = Self.drainTime
        limits.apply(
            to: &configuration, descriptors: DescriptorLimit.raise(), endpoints: endpoints.count)
        let connectionLog = ConnectionLog(logger)
        var service = ContainerzService.Configuration()
        service.chunkSize = chunkSize
        service.pluginFolder = pluginDir
        service.pull = pull.configuration
        let runtime = RuntimeClient(.unix(path: runtimeSocket))
        let health = HealthMonitor(of: [ContainerzService.name]) {
            (try? await runtime.info()) != nil
        }
        let system = SystemService(upgrade.configuration, logger: logger)
        let upgrades = UpgradeService(of: system)
        let containerz = ContainerzService(runtime, service, logger: logger)
        let services: [any RegistrableRPCService] = [
            containerz, system, upgrades, HealthService(health),
            try ReflectionService(),
        ]
        let counted = metricsFile.map { ServerReport($0, of: services, logger: logger) }
        let transport = try HTTP2ServerTransport(endpoints, configuration: configuration) {
            connectionLog.connectionEnded($0, $1)
        } onEvent: {
            counted?.metrics.count($0)
        } onCallEnd: {
            audit.write($0)
            counted?.metrics.count($0)
        }
        access.watch(for: transport)
        defer { access.cancel() }
        let server = GRPCServer(
            transport: transport, services: services,
            interceptors: [
                access.interceptor(requiresProof: !insecure, most: limits.maxCallsPerPrincipal)
            ])
        for endpoint in endpoints {
            logger.info(
                "serving",
                metadata: [
                    "address": "\(endpoint.listener.address)",
                    "tls": .stringConvertible(endpoint.tls != nil),
                ])
        }
        // A little longer than the transport's own, which ends streams in good order.
        let lifecycle = Lifecycle(logger, drainTime: Self.drainTime + .seconds(5))
        try await MetricsReport.keep(counted?.report) {
            try await lifecycle.run {
                health.drain()
                upgrades.drain()
                containerz.drain()
                server.beginGracefulShutdown()
            } reload: {
                access.reload()
            } _: {
                do {
                    try await server.serve()
                } catch let error as GRPCCore.RuntimeError where error.code == .serverIsStopped {
                    // Told to stop before it began.
                }
            }
        }
    }

    // MARK: Addresses

    @EventLoop
    private func endpoints(
        _ tls: TLSConfiguration?, _ logger: Logger
    ) async throws -> [HTTP2ServerTransport.Endpoint] {
        var endpoints: [HTTP2ServerTransport.Endpoint] = []
        for listener in try await listeners(tls) {
            if case .unix = listener.address {
                // The file's mode says who may connect, and the kernel who it is.
                endpoints.append(.init(listener))
            } else {
                try requireSafety(listener.address, tls)
                endpoints.append(.init(listener, tls: tls))
            }
        }
        if tls == nil, let folder = certificates.folder {
            logger.notice(
                """
                serving this device alone, since there is no \(CertificateOptions.chain) in \
                \(folder): `cz tls init` makes certificates for a lab
                """)
        }
        return endpoints
    }

    @EventLoop
    private func listeners(_ tls: TLSConfiguration?) async throws -> [Listener] {
        let passed = ServiceManager.takeListeningSockets()
        guard passed.isEmpty else {
            return try passed.map { try Listener(adopting: Descriptor(owning: $0.number)) }
        }
        var listeners: [Listener] = []
        // A device without certificates serves itself.
        let isLocal = tls == nil && certificates.folder != nil
        let usual = isLocal ? Self.localAddress : Self.defaultAddress
        for text in listen.isEmpty ? [usual] : listen {
            let address = try SocketAddress(parsing: text)
            if case .tcp = address { try requireSafety(address, tls) }
            listeners.append(try await Listener.bind(to: address))
        }
        return listeners
    }

    private struct Refusal: Error, CustomStringConvertible { var description: String }

    private func requireSafety(
        _ address: SocketAddress, _ tls: TLSConfiguration?
    ) throws(Refusal) {
        if tls != nil { return }
        guard insecure else {
            throw Refusal(
                description: "\(address) needs --tls-cert and --tls-key; without "
                    + "them, listen on unix:PATH, or on loopback with --insecure")
        }
        guard address.isLoopback else {
            throw Refusal(
                description: "\(address) is not loopback, where alone --insecure is allowed")
        }
    }
}
