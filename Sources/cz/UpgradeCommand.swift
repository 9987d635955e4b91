import ArgumentParser
import ContainerzClient
import GNOI
import GRPCCore
import Glibc
import HealthProbe
import SystemIO

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Bring an instance to another version, and back when that is no good.",
        discussion: """
            The device puts the old version back when the new one does not prove itself there. With \
            --health this command asks as well, from here, and goes back to the image before when \
            that fails; options that were changed stay changed then. Exits with 1 after that.
            """)

    @Argument(help: "The container's instance name.", completion: LiveCompletion.instances)
    var target: String

    @Argument(
        help: ArgumentHelp(
            "A tarball, which is pushed first (- is standard input), or an image on the device.",
            valueName: "file|name:tag"))
    var version: String

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "The pushed image's name; the tarball's own when not given.",
            valueName: "name:tag"))
    var name: ImageArgument?

    @Option(
        help: ArgumentHelp(
            "Where to ask whether it is well: http://…, tcp://HOST:PORT or "
                + "grpc://HOST:PORT[/SERVICE]. {host} stands for the device's address.",
            valueName: "url"))
    var health: HealthArgument?

    @Option(help: "How long it may take until it is.")
    var healthTimeout: TimeSpan?

    @OptionGroup var start: StartArguments

    @OptionGroup(title: "Rollout to several devices") var rollout: RolloutOptions

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private static let usualTimeout: Duration = .seconds(60)
    /// In bytes; it is kept in the state of a rollout.
    private static let longestImageName = 1024

    private var isFile: Bool {
        version == "-" || version.hasPrefix("/") || version.hasPrefix(".")
            || access(version, F_OK) == 0
    }

    func validate() throws {
        guard start.instance == nil else {
            throw ValidationError("--instance: an upgrade does not change the name")
        }
        guard isFile || ImageArgument(argument: version) != nil else {
            throw ValidationError("'\(version)' is neither a file nor an image's NAME:TAG")
        }
        guard isFile || name == nil else { throw ValidationError("--as goes with a file") }
    }

    private struct Result: Encodable {
        var instance: String
        var image: String
        var previous: String
        var rolledBack: Bool
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let settings = try start.options.request(for: nil)
        let (target, version, name) = (target, version, name)
        let file = isFile ? PushFile(version, for: "upgrade") : nil
        let (health, timeout) = (health, healthTimeout?.duration ?? Self.usualTimeout)
        let rollout = try rolloutRequest(connection, file)
        try Program.run("upgrade", connection, rollout) { device, attempt in
            // Before an image is sent for nothing.
            _ = try await Self.image(of: target, on: device)
            let image: ImageArgument
            if let file {
                Program.say("pushing \(version)")
                let pushed = try await ImagePushCommand.push(file, as: name, to: device)
                let text = "\(pushed.name):\(pushed.tag)"
                guard let argument = ImageArgument(argument: text) else {
                    throw RPCError(
                        code: .unknown, message: "the device calls the image '\(text)'")
                }
                image = argument
            } else {
                guard let argument = ImageArgument(argument: version) else {
                    throw ExitCode.failure
                }
                image = argument
            }
            let current = try await Self.image(of: target, on: device)
            // What a run that was killed has found, where that run got so far.
            let previous = current == "\(image)" ? attempt.previous ?? current : current
            guard file == nil || health == nil || "\(image)" != previous else {
                Program.complain(
                    "upgrade: \(image) is the running version's name, which the pushed image has "
                        + "now: there would be nothing to go back to; use --as. \(target) was "
                        + "not touched")
                throw ExitCode.failure
            }
            do {
                let isUpdated = attempt.isRepeated && current == "\(image)" && current != previous
                if !isUpdated {
                    try await attempt.note(previous)
                    Program.say("updating \(target) from \(current) to \(image)")
                    try await device.update(
                        target, to: (image.name, image.tag), settings, detach: false)
                }
            } catch {
                let code = Program.report(error, of: "upgrade")
                await Self.sayWhatRuns(target, on: device)
                throw code
            }
            let failure = try await Self.failure(
                try health?.probe(of: attempt.address), timeout)
            if let failure {
                Program.complain("upgrade: \(image) is not well: \(failure)")
                try await Self.goBack(target, to: previous, on: device)
            } else {
                Program.say("\(target) runs \(image)")
            }
            if connection.json {
                try Output.write(
                    json: Result(
                        instance: target, image: failure == nil ? "\(image)" : previous,
                        previous: previous, rolledBack: failure != nil))
            }
            if failure != nil { throw ExitCode.failure }
        }
    }

    private struct Options: Encodable {
        var instance: String
        var name: String?
        var health: String?
        var start: StartOptions
    }

    private func rolloutRequest(
        _ connection: Connection, _ file: PushFile?
    ) throws -> RolloutRequest? {
        guard connection.isFleet || rollout.isGiven else { return nil }
        let source = try file?.source()
        return try rollout.request(
            "upgrade", { try source.map { "\(try $0.digest())" } ?? version },
            Options(
                instance: target, name: name?.description, health: health?.description,
                start: start.options))
    }

    @EventLoop
    private static func failure(
        _ health: HealthProbe?, _ timeout: Duration
    ) async throws -> HealthProbeError? {
        guard let health else { return nil }
        Program.say("asking \(health)")
        do {
            try await health.wait(timeout: timeout)
            return nil
        } catch let error as HealthProbeError {
            return error
        }
    }

    private static func goBack(
        _ target: String, to previous: String, on device: Device
    ) async throws {
        guard let image = ImageArgument(argument: previous) else { throw ExitCode.failure }
        Program.say("going back to \(previous)")
        do {
            try await device.update(
                target, to: (image.name, image.tag), .init(), detach: false)
        } catch {
            _ = Program.report(error, of: "upgrade: going back to \(previous)")
            TargetOutput.current?.lose()
            await sayWhatRuns(target, on: device)
            throw ExitCode.failure
        }
        Program.say("\(target) runs \(previous) again")
    }

    private static func image(of target: String, on device: Device) async throws -> String {
        let listed = try await device.containers(all: true, filters: ["name": [target]])
        guard let container = listed.first(where: { $0.name == target }) else {
            throw RPCError(code: .notFound, message: "there is no container \(target)")
        }
        // Until that has ended nobody knows which of the two it will be.
        guard container.labels["org.containerz.update.state"] != "running" else {
            throw RPCError(
                code: .unavailable, message: "an update of \(target) is still under way")
        }
        guard container.image.utf8.count <= longestImageName else {
            throw RPCError(code: .unknown, message: "the device gives its image no sensible name")
        }
        return container.image
    }

    private static func sayWhatRuns(_ target: String, on device: Device) async {
        do {
            let listed = try await device.containers(all: true, filters: ["name": [target]])
            if let container = listed.first(where: { $0.name == target }) {
                Program.say("\(target) is \(container.status), with \(container.image)")
            } else {
                Program.say("\(target) is not listed: its update is still being undone")
            }
        } catch {
            Program.say("what \(target) runs now cannot be told: \(error)")
        }
    }
}
