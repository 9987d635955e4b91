import ArgumentParser
import ContainerzClient
import SystemIO
import TextTable

struct VolumeListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the volumes on a device.", aliases: ["ls"])

    @Option(
        help: ArgumentHelp(
            "Only volumes that match: name=NAME, driver=NAME, label=KEY[=VALUE].",
            valueName: "key=value"))
    var filter: [FilterArgument] = []

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let filters = filter.filters
        try Program.run("volume list", connection) { device in
            let volumes = try await device.volumes(filters: filters)
            if connection.json {
                for volume in volumes { try Output.write(json: volume) }
            } else {
                var table = Table(["NAME", "DRIVER", "OPTIONS"])
                for volume in volumes {
                    let options = volume.options.sorted { $0.key < $1.key }
                        .map { "\($0.key)=\($0.value)" }
                    table.add([volume.name, volume.driver, options.joined(separator: " ")])
                }
                try Output.write(table)
            }
        }
    }
}
