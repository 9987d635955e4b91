import ArgumentParser
import SystemIO

struct RuntimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz-runtime",
        abstract: "Serve the device's container engine to the other containerz programs.",
        version: containerzVersion,
        subcommands: [ServeCommand.self, CallCommand.self],
        defaultSubcommand: ServeCommand.self)

    static let defaultSocket = "/run/containerz/runtime.sock"
}
