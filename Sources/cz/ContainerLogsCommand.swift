import ArgumentParser
import ContainerzClient
import SystemIO

struct ContainerLogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show what a container wrote.")

    @Argument(help: "Its instance name.", completion: LiveCompletion.instances)
    var instance: String

    @Flag(name: .shortAndLong, help: "Go on until it is done.")
    var follow = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private struct Piece: Encodable { var msg: String }

    func run() throws {
        var connection = try Connection(options, parent.connection)
        connection.isAllAtOnce = follow
        let (instance, follow, json) = (instance, follow, connection.json)
        try Program.run("container logs", connection, isBroughtToEnd: false) { device in
            try await device.log(instance, follow: follow) { text in
                if json {
                    try Output.write(json: Piece(msg: text))
                } else {
                    try Output.write(text)
                }
            }
        }
    }
}
