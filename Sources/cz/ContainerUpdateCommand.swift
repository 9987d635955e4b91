import ArgumentParser
import ContainerzClient
import SystemIO

struct ContainerUpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Replace a container by one of another image.",
        discussion: """
            What no option changes stays as it is, volumes included. When the new version does not \
            prove itself, the old one is put back.
            """)

    @Argument(help: "The container's instance name.", completion: LiveCompletion.instances)
    var target: String

    @Argument(
        help: "NAME or NAME:TAG of an image on the device.", completion: LiveCompletion.images)
    var image: ImageArgument

    @Flag(
        name: .customLong("async"),
        help: "Return once nothing speaks against it; container list --json tells the outcome.")
    var detach = false

    @OptionGroup var start: StartArguments

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard start.instance == nil else {
            throw ValidationError("--instance: an update does not change the name")
        }
    }

    private struct Updated: Encodable {
        var updated: String
        var async: Bool
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let settings = try start.options.request(for: nil)
        let (target, image, detach) = (target, (image.name, image.tag), detach)
        try Program.run("container update", connection) { device in
            try await device.update(target, to: image, settings, detach: detach)
            if connection.json { try Output.write(json: Updated(updated: target, async: detach)) }
        }
    }
}
