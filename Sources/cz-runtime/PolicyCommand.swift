import ArgumentParser

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Check and show what containers may do on this device.",
        subcommands: [PolicyCheckCommand.self, PolicyShowCommand.self])
}
