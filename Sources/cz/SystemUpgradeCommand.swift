import ArgumentParser
import ContainerzClient
import GRPCCore
import Synchronization
import SystemIO
import UpgradeAPI

struct SystemUpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Bring the device's own containerz to another version.",
        discussion: """
            Sends packages, each with the signature in FILE.sig, and waits until the device has \
            installed them together and its services have come back. Where they do not, the device \
            puts back what it had. Prints what is installed then.
            """)

    @Argument(
        help: ArgumentHelp("Packages: NAME_VERSION_ARCHITECTURE.deb.", valueName: "file"),
        completion: .file(extensions: ["deb"]))
    var files: [String]

    @Flag(
        help:
            "Allow versions older than those installed, if the device's upgrade.conf does as well.")
    var allowDowngrade = false

    @Option(help: "How long to wait for the device.")
    var wait: TimeSpan?

    @Flag(help: "Send the packages, and do not wait.")
    var noWait = false

    @OptionGroup(title: "Rollout to several devices") var rollout: RolloutOptions

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private static let name = "system upgrade"
    private static let usualWait: Duration = .seconds(5 * 60)
    /// Between two attempts to reach a service that is being restarted.
    private static let pause: Duration = .milliseconds(500)

    func validate() throws {
        guard !noWait || !rollout.isGiven else {
            throw ValidationError(
                "--no-wait: a rollout has to know what became of one device before it goes on")
        }
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let packages: [SignedPackage]
        do throws(SignedPackage.Flaw) {
            var opened: [SignedPackage] = []
            for file in files { opened.append(try SignedPackage(file)) }
            packages = opened
        } catch {
            Program.complain("\(Self.name): \(error)")
            throw ExitCode.failure
        }
        let (allowDowngrade, noWait) = (allowDowngrade, noWait)
        let patience = wait?.duration ?? Self.usualWait
        try Program.run(Self.name, connection, rolloutRequest(connection, packages)) { device, _ in
            let upgrade = UpgradeIdentifier()
            for (index, package) in packages.enumerated() {
                do {
                    try await device.send(
                        package, of: upgrade, activate: index == packages.count - 1,
                        allowDowngrade: allowDowngrade)
                } catch {
                    throw Program.report(error, of: "\(Self.name): \(package.file)")
                }
            }
            if noWait { return }
            let result = try await Self.result(of: upgrade, on: device, until: .now + patience)
            if connection.json {
                try Output.write(json: result)
            } else {
                for package in result.packages {
                    try Output.write(line: "\(package.name) \(package.version)")
                }
            }
            guard result.state == .done else {
                Program.complain("\(Self.name): \(result.message)")
                throw ExitCode.failure
            }
        }
    }

    private struct Options: Encodable {
        var allowDowngrade: Bool
    }

    private func rolloutRequest(
        _ connection: Connection, _ packages: [SignedPackage]
    ) throws -> RolloutRequest? {
        guard connection.isFleet || rollout.isGiven else { return nil }
        return try rollout.request(
            Self.name, { packages.map { "\($0.digest)" }.joined(separator: " ") },
            Options(allowDowngrade: allowDowngrade))
    }

    /// Waits until it is over, over as many connections as that takes.
    @EventLoop
    private static func result(
        of upgrade: UpgradeIdentifier, on device: Device, until deadline: ContinuousClock.Instant
    ) async throws -> UpgradeProgress {
        let last = Mutex<UpgradeProgress?>(nil)
        while true {
            do {
                try await device.again(timeout: ContinuousClock.now.duration(to: deadline)) {
                    device in
                    try await device.watch(upgrade) { progress in
                        let isNew = last.withLock { last in
                            defer { last = progress }
                            return last?.state != progress.state
                        }
                        if isNew, !progress.isOver { Program.say(progress.state.rawValue) }
                    }
                }
                guard let result = last.withLock({ $0 }), result.isOver else {
                    throw RPCError(
                        code: .unknown, message: "the device did not say what became of it")
                }
                return result
            } catch let error as RPCError where error.code == .unavailable {
                guard ContinuousClock.now + pause < deadline else {
                    throw RPCError(
                        code: .unavailable,
                        message: "the device has not come back: \(error.message)")
                }
                try await EventLoop.sleep(for: pause)
            }
        }
    }
}
