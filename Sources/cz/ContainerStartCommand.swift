import ArgumentParser
import ContainerzClient
import SystemIO

struct ContainerStartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a container from an image on the device.",
        discussion: "Without an image, --instance names a stopped container to start again.")

    @Argument(help: "NAME or NAME:TAG.", completion: LiveCompletion.images)
    var image: ImageArgument?

    @OptionGroup var start: StartArguments

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard image != nil || start.instance != nil else {
            throw ValidationError("neither an image nor --instance")
        }
    }

    struct Started: Encodable { var instance: String }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let request = try start.options.request(for: image.map { ($0.name, $0.tag) })
        try Program.run("container start", connection) { device in
            try Self.print(try await device.start(request), json: connection.json)
        }
    }

    static func print(_ instance: String, json: Bool) throws {
        if json {
            try Output.write(json: Started(instance: instance))
        } else {
            try Output.write(line: instance)
        }
    }
}
