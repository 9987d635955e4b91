import ArgumentParser
import Glibc
import SystemIO

struct RuntimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz-runtime",
        abstract: "Serve the device's container engine to the other containerz programs.",
        version: containerzVersion,
        subcommands: [ServeCommand.self, CallCommand.self, PolicyCommand.self],
        defaultSubcommand: ServeCommand.self)

    /// Exit codes besides 0 and 1 (sysexits.h).
    static let notPermitted = ExitCode(EX_NOPERM)
}

/// Says what went wrong, on standard error.
func complain(_ text: String) {
    StandardError.write(line: "cz-runtime: \(text)")
}
