import ArgumentParser
import ContainerzClient
import SystemIO

struct PluginStopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop plugins that no volume needs.")

    @Argument(help: "Their instance names.", completion: LiveCompletion.plugins)
    var instances: [String]

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private struct Done: Encodable { var stopped: String }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        try Program.forEach(instances, "plugin stop", connection) { device, name in
            try await device.stopPlugin(name)
            if connection.json { try Output.write(json: Done(stopped: name)) }
        }
    }
}
