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
            try Output.write(volumes, json: connection.json, ["NAME", "DRIVER", "OPTIONS"]) {
                let options = $0.options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return [$0.name, $0.driver, options.joined(separator: " ")]
            }
        }
    }
}
