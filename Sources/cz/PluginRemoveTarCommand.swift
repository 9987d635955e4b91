import ArgumentParser
import ContainerzClient
import SystemIO

struct PluginRemoveTarCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-tar", abstract: "Remove tarballs of plugins that were pushed.")

    @Argument(help: "The names they were pushed under.")
    var names: [String]

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        try Program.forEach(names, "plugin remove-tar", connection) { device, name in
            try await device.removePluginTarball(name)
            if connection.json { try Output.write(json: Output.Removed(removed: name)) }
        }
    }
}
