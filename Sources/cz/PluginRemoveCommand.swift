import ArgumentParser
import ContainerzClient
import SystemIO

struct PluginRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove plugins that were stopped.", aliases: ["rm"])

    @Argument(help: "Their instance names.", completion: LiveCompletion.plugins)
    var instances: [String]

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        try Program.forEach(instances, "plugin remove", connection) { device, name in
            try await device.removePlugin(name)
            if connection.json { try Output.write(json: Output.Removed(removed: name)) }
        }
    }
}
