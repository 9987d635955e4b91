import ArgumentParser
import ContainerzClient
import SystemIO
import TextTable

struct PluginListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the plugins on a device.", aliases: ["ls"])

    @Argument(help: "Only this one.", completion: LiveCompletion.plugins)
    var instance: String?

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let instance = instance ?? ""
        try Program.run("plugin list", connection) { device in
            let plugins = try await device.plugins(instance)
            try Output.write(plugins, json: connection.json, ["INSTANCE", "ID", "TARBALL"]) {
                [$0.instance, String($0.id.prefix(12)), $0.hash]
            }
        }
    }
}
