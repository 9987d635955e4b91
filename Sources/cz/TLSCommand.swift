import ArgumentParser

struct TLSCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls", abstract: "Make certificates for a lab.",
        subcommands: [TLSInitCommand.self])
}
