import ArgumentParser
import ContainerzClient
import SystemIO

struct PluginPushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Push a plugin's tarball, to be started later.",
        discussion: """
            The tarball, compressed or not, holds the plugin's root file system, at its top or in \
            rootfs/, and may hold its config.json beside that.
            """)

    @Argument(help: "The tarball; - is standard input.", completion: .file())
    var file: String

    @Argument(help: "The name to keep it under.")
    var name: String

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (file, name) = (PushFile(file, for: "plugin push"), name)
        if connection.isFleet { _ = try file.source() }
        try Program.run("plugin push", connection) { device in
            let source = try file.source()
            let bar = ProgressBar(name, total: source.size)
            defer { bar.finish() }
            let pushed = try await device.pushPlugin(source, as: name) { bar.update($0) }
            if connection.json {
                try Output.write(json: pushed)
            } else {
                try Output.write(line: pushed.plugin)
            }
        }
    }
}
