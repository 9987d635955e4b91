import ArgumentParser
import ContainerzClient
import Fleet
import GRPCTransport
import Glibc
import SystemIO

/// The options of both levels and the environment, put together.
struct Connection: Sendable {
    /// A device, and how it is reached.
    struct Endpoint: Sendable {
        var member: FleetMember
        var target: Target
    }

    /// One at least.
    var endpoints: [Endpoint]
    /// Whether several devices were meant, also where it is one of a file.
    var isFleet: Bool
    /// The most devices at a time.
    var parallel: Int
    /// Whether none may wait for others, since what is done has no end.
    var isAllAtOnce = false
    /// What all connections with TLS have in common; nil without.
    var tls: TLSConfiguration?
    var timeout: Duration?
    var json: Bool

    /// The only device, where there are not several.
    var target: Target { endpoints[0].target }

    private static let localSocket = "/run/containerz/containerzd.sock"
    private static let usualParallel = 32
    /// More than descriptors and memory are good for on any workstation.
    private static let parallels = 1...4096

    /// - Throws: `ValidationError`.
    init<Behind>(
        _ options: ConnectionOptions<Behind>, _ before: ConnectionOptions<ClientCommand.Level>
    ) throws {
        func value(_ behind: String?, _ before: String?, _ variable: String) -> String? {
            behind ?? before ?? Self.environment(variable)
        }
        let (cert, key) = (
            value(options.cert, before.cert, "CZ_CERT"), value(options.key, before.key, "CZ_KEY")
        )
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        let isInsecure = options.insecure || before.insecure
        let tls = TLSConfiguration(
            certificateChain: cert, privateKey: key,
            authorities: value(options.ca, before.ca, "CZ_CA"),
            serverName: options.serverName ?? before.serverName)
        // Those of both levels together: the parser cannot tell where one of several stood.
        let (members, isFleet) = try Self.members(
            try Self.choice(
                before.targets + options.targets, options.targetsFile ?? before.targetsFile),
            before.select + options.select)
        endpoints = members.map { member in
            if isInsecure || member.address.isUnix {
                return Endpoint(member: member, target: Target(member.address, tls: nil))
            }
            var tls = tls
            if let name = member.serverName { tls.serverName = name }
            return Endpoint(member: member, target: Target(member.address, tls: tls))
        }
        self.isFleet = isFleet
        self.tls = endpoints.contains { $0.target.tls != nil } ? tls : nil
        parallel = options.parallel ?? before.parallel ?? Self.usualParallel
        guard Self.parallels.contains(parallel) else {
            throw ValidationError(
                "--parallel: \(parallel) is not from \(Self.parallels.lowerBound) to "
                    + "\(Self.parallels.upperBound)")
        }
        timeout = (options.timeout ?? before.timeout)?.duration
        json = options.json || before.json
    }

    /// Which devices, and what said so.
    private struct Choice {
        var targets: [String]
        var targetsOrigin = "--target"
        var file: String?
        var fileOrigin = "--targets-file"
    }

    /// Options count alone where there are any.
    private static func choice(_ targets: [String], _ file: String?) throws -> Choice {
        guard targets.isEmpty, file == nil else { return Choice(targets: targets, file: file) }
        let (target, file) = (environment("CZ_TARGET"), environment("CZ_TARGETS_FILE"))
        guard target == nil || file == nil else {
            throw ValidationError(
                "CZ_TARGET and CZ_TARGETS_FILE are both set: say which devices with --target or "
                    + "--targets-file")
        }
        return Choice(
            targets: target.map { [$0] } ?? [], targetsOrigin: "CZ_TARGET", file: file,
            fileOrigin: "CZ_TARGETS_FILE")
    }

    private static func environment(_ variable: String) -> String? {
        getenv(variable).map { String(cString: $0) }
    }

    private static func members(
        _ choice: Choice, _ selectors: [MemberSelector]
    ) throws -> (members: [FleetMember], isFleet: Bool) {
        var roster = FleetRoster()
        let isLocal = choice.targets.isEmpty && choice.file == nil
        let isFleet = choice.targets.count > 1 || choice.file != nil || !selectors.isEmpty
        do throws(FleetError) {
            for target in isLocal ? ["unix:\(localSocket)"] : choice.targets {
                do throws(FleetError) {
                    try roster.add(
                        try FleetMember(parsing: target, defaultPort: Target.defaultPort),
                        from: choice.targetsOrigin)
                } catch {
                    let origin = "\(choice.targetsOrigin): "
                    throw error.description.utf8.starts(with: origin.utf8)
                        ? error : FleetError("\(origin)\(error)")
                }
            }
            if let path = choice.file {
                let file = try TargetsFile(path: path, defaultPort: Target.defaultPort)
                for (member, line) in file.entries {
                    try roster.add(member, from: "\(path):\(line)")
                }
                guard !roster.members.isEmpty else {
                    throw FleetError("\(choice.fileOrigin): \(path): no device is in it")
                }
            }
        } catch {
            throw ValidationError(error.description)
        }
        let members = roster.members.filter { member in
            selectors.allSatisfy { $0.matches(member) }
        }
        guard !members.isEmpty else {
            throw ValidationError(
                "--select: none of \(roster.members.count) devices matches "
                    + selectors.map(\.description).joined(separator: " "))
        }
        return (members, isFleet)
    }
}

extension SocketAddress {
    fileprivate var isUnix: Bool {
        if case .unix = self { true } else { false }
    }
}
