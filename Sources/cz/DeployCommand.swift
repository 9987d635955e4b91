import ArgumentParser
import ContainerzClient
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

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (file, image, start) = (file, image, start.options)
        let request = try start.request(for: (image.name, image.tag))
        try Program.run("deploy", connection) { device in
            let pushed = try await ImagePushCommand.push(file, as: image, to: device, "deploy")
            do {
                try ContainerStartCommand.print(
                    try await device.start(request), json: connection.json)
            } catch {
                Program.complain("deploy: \(pushed.name):\(pushed.tag) is on the device now, but:")
                throw error
            }
        }
    }
}
