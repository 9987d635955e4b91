import ArgumentParser
import ContainerzClient
import GNOI
import GRPCCore
import SystemIO

struct DeployCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deploy", abstract: "Push an image and start a container from it.",
        discussion: "Prints the instance name.")

    @Argument(help: "The tarball; - is standard input.", completion: .file())
    var file: String

    @Argument(help: "NAME or NAME:TAG to give the image.")
    var image: ImageArgument

    @OptionGroup var start: StartArguments

    @OptionGroup(title: "Rollout to several devices") var rollout: RolloutOptions

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard rollout.resume == nil || start.instance != nil else {
            throw ValidationError(
                "--resume needs --instance: a device that is done again would get another one")
        }
    }

    private struct Options: Encodable {
        var image: String
        var start: StartOptions
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (file, image, start) = (PushFile(file, for: "deploy"), image, start.options)
        let request = try start.request(for: (image.name, image.tag))
        var rollout: RolloutRequest?
        if connection.isFleet || self.rollout.isGiven {
            let source = try file.source()
            rollout = try self.rollout.request(
                "deploy", { "\(try source.digest())" },
                Options(image: image.description, start: start))
        }
        try Program.run("deploy", connection, rollout) { device, attempt in
            let pushed = try await ImagePushCommand.push(file, as: image, to: device)
            do {
                let instance = try await Self.start(request, on: device, attempt)
                try ContainerStartCommand.print(instance, json: connection.json)
            } catch {
                Program.complain("deploy: \(pushed.name):\(pushed.tag) is on the device now, but:")
                throw error
            }
        }
    }

    /// What a run that was killed had started already is what was asked for; that it came so far is
    /// in the state, as an instance before which there was nothing.
    private static func start(
        _ request: Gnoi_Containerz_StartContainerRequest, on device: Device, _ attempt: Attempt
    ) async throws -> String {
        let mayBeDone = attempt.isRepeated && attempt.previous != nil
        try await attempt.note("")
        do {
            return try await device.start(request)
        } catch let error as RPCError where error.code == .alreadyExists && mayBeDone {
            let name = request.instanceName
            let listed = try await device.containers(all: false, filters: ["name": [name]])
            let isThere = listed.contains {
                $0.name == name && $0.image == "\(request.imageName):\(request.tag)"
            }
            guard isThere else { throw error }
            return name
        }
    }
}
