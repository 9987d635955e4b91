import ArgumentParser
import ContainerzClient
import SystemIO

struct ContainerRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove containers.", aliases: ["rm"])

    @Argument(help: "Instance names.", completion: LiveCompletion.instances)
    var instances: [String]

    @Flag(help: "Although they run.")
    var force = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let force = force
        try Program.forEach(instances, "container remove", connection) { device, instance in
            try await device.remove(instance, force: force)
            if connection.json { try Output.write(json: Output.Removed(removed: instance)) }
        }
    }
}
