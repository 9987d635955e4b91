import ArgumentParser
import ContainerzClient
import SystemIO
import TextTable

struct ImageListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the images on a device.", aliases: ["ls"])

    @Option(
        help: ArgumentHelp(
            "Only images that match: reference=NAME[:TAG], label=KEY[=VALUE], id=ID, "
                + "dangling=true.", valueName: "key=value"))
    var filter: [FilterArgument] = []

    @Option(help: "The most to list.")
    var limit: Int32 = 0

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (limit, filters) = (limit, filter.filters)
        try Program.run("image list", connection) { device in
            let images = try await device.images(limit: limit, filters: filters)
            try Output.write(images, json: connection.json, ["NAME", "TAG", "ID"]) {
                let id = $0.id.split(separator: ":").last ?? ""
                return [$0.name, $0.tag, String(id.prefix(12))]
            }
        }
    }
}
