import ArgumentParser
import ContainerzClient
import SystemIO
import TextTable

struct ContainerListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the containers on a device.", aliases: ["ls"])

    @Flag(name: .shortAndLong, help: "Those that do not run as well.")
    var all = false

    @Option(
        help: ArgumentHelp(
            "Only containers that match: name=NAME, id=ID, label=KEY[=VALUE], status=STATUS, "
                + "image=NAME[:TAG].", valueName: "key=value"))
    var filter: [FilterArgument] = []

    @Option(help: "The most to list.")
    var limit: Int32 = 0

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (all, limit, filters) = (all, limit, filter.filters)
        try Program.run("container list", connection) { device in
            let containers = try await device.containers(
                all: all, limit: limit, filters: filters)
            try Output.write(
                containers, json: connection.json, ["NAME", "IMAGE", "STATUS", "ID"]
            ) {
                [$0.name, $0.image, $0.status, String($0.id.prefix(12))]
            }
        }
    }
}
