import ArgumentParser

struct SystemCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "system", abstract: "Look after the device's own containerz.",
        subcommands: [SystemUpgradeCommand.self])
}
