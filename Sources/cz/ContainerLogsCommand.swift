import ArgumentParser
import ContainerzClient
import Glibc
import PrintableText
import Synchronization
import SystemIO

struct ContainerLogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Show what a container wrote.",
        discussion: """
            On a terminal, colours pass and all other control sequences are removed. Elsewhere the \
            text is written as it is.
            """)

    @Argument(help: "Its instance name.", completion: LiveCompletion.instances)
    var instance: String

    @Flag(name: .shortAndLong, help: "Go on until it is done.")
    var follow = false

    @Flag(help: "Write control sequences to a terminal as well.")
    var raw = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private struct Piece: Encodable { var msg: String }

    func run() throws {
        var connection = try Connection(options, parent.connection)
        connection.isAllAtOnce = follow
        let (instance, follow, json, raw) = (instance, follow, connection.json, raw)
        let isFiltered = !raw && !json && !connection.isFleet && isatty(STDOUT_FILENO) == 1
        try Program.run("container logs", connection, isBroughtToEnd: false) { device in
            let filter = Mutex(TerminalFilter())
            let result: Result<Void, any Error>
            do {
                try await device.log(instance, follow: follow) { text in
                    if json {
                        try Output.write(json: Piece(msg: text))
                    } else if isFiltered {
                        try StandardOutput.write(filter.withLock { $0.filter(text.utf8) })
                    } else {
                        try Output.write(text, isRaw: raw)
                    }
                }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            // Before the reason of a failure is written to the same terminal.
            if isFiltered { try? StandardOutput.write(filter.withLock { $0.finish() }) }
            try result.get()
        }
    }
}
