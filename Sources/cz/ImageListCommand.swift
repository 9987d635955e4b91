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
            if connection.json {
                for image in images { try Output.write(json: image) }
            } else {
                var table = Table(["NAME", "TAG", "ID"])
                for image in images {
                    let id = image.id.split(separator: ":").last ?? ""
                    table.add([image.name, image.tag, String(id.prefix(12))])
                }
                try Output.write(table)
            }
        }
    }
}
