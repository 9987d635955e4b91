import ArgumentParser
import ContainerzClient
import GRPCTransport
import Glibc
import SystemIO

/// Which device, and how to reach it. The level tells the options before a command from those
/// behind it, which count more.
struct ConnectionOptions<Level>: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The device: HOST[:PORT] or unix:PATH; the local containerzd when not given.",
            valueName: "target"))
    var target: String?

    @Option(help: ArgumentHelp("Who signs devices' certificates, PEM.", valueName: "file"))
    var ca: String?

    @Option(help: ArgumentHelp("This client's certificate chain, PEM.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Its key, PEM.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The name in the device's certificate, where it is not the target's.",
            valueName: "name"))
    var serverName: String?

    @Flag(help: "No TLS: only for a lab, or for a device on this machine.")
    var insecure = false

    @Option(
        help: ArgumentHelp(
            "How long one call may take, like 30s, 5m or 1h.", valueName: "duration"))
    var timeout: TimeSpan?

    @Flag(help: "Print one JSON object a line.")
    var json = false
}

/// A length of time on a command line.
struct TimeSpan: ExpressibleByArgument, Sendable {
    var duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        var digits = argument[...]
        var unit: Int64 = 1
        if let last = digits.last, let seconds = units[last] {
            unit = seconds
            digits.removeLast()
        }
        guard let number = Int64(digits), number > 0, number <= 1 << 31 else { return nil }
        duration = .seconds(number * unit)
    }
}

/// The options of both levels and the environment, put together.
struct Connection: Sendable {
    var target: Target
    var timeout: Duration?
    var json: Bool

    private static let localSocket = "/run/containerz/containerzd.sock"

    /// - Throws: `ValidationError`.
    init<Behind>(
        _ options: ConnectionOptions<Behind>, _ before: ConnectionOptions<ClientCommand.Level>
    ) throws {
        func value(_ behind: String?, _ before: String?, _ variable: String) -> String? {
            behind ?? before ?? getenv(variable).map { String(cString: $0) }
        }
        let text = value(options.target, before.target, "CZ_TARGET") ?? "unix:\(Self.localSocket)"
        let address: SocketAddress
        do throws(SocketAddressError) {
            address = try SocketAddress(parsing: text, defaultPort: Target.defaultPort)
        } catch {
            throw ValidationError("--target: \(error)")
        }
        let isPlain: Bool
        if case .unix = address {
            isPlain = true
        } else {
            isPlain = options.insecure || before.insecure
        }
        let (cert, key) = (
            value(options.cert, before.cert, "CZ_CERT"), value(options.key, before.key, "CZ_KEY")
        )
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        let tls = TLSConfiguration(
            certificateChain: cert, privateKey: key,
            authorities: value(options.ca, before.ca, "CZ_CA"),
            serverName: options.serverName ?? before.serverName)
        target = Target(address, tls: isPlain ? nil : tls)
        timeout = (options.timeout ?? before.timeout)?.duration
        json = options.json || before.json
    }
}
