import ArgumentParser
import ContainerzClient
import FoundationEssentials
import SystemIO

struct PluginStartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start a plugin from a tarball that was pushed.",
        discussion: "Without NAME an instance is started again that was stopped.")

    @Argument(help: "The name the tarball was pushed under.")
    var name: String?

    @Option(help: ArgumentHelp("The name of the plugin that is to run.", valueName: "name"))
    var instance: String

    @Option(
        help: ArgumentHelp(
            "The plugin's config.json; the one in the tarball when not given.", valueName: "file"))
    var config: String?

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard config == nil || name != nil else {
            throw ValidationError("--config goes with NAME")
        }
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (name, instance) = (name, instance)
        let text = try config.map { try Self.read($0) } ?? ""
        try Program.run("plugin start", connection) { device in
            let started = try await device.startPlugin(name ?? "", as: instance, config: text)
            try ContainerStartCommand.print(started, json: connection.json)
        }
    }

    private static func read(_ file: String) throws -> String {
        do {
            return String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
        } catch {
            Program.complain("plugin start: \(file): it cannot be read")
            throw ExitCode.failure
        }
    }
}
