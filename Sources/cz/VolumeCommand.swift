import ArgumentParser

struct VolumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volume", abstract: "Create, list and remove volumes.",
        subcommands: [
            VolumeCreateCommand.self, VolumeListCommand.self, VolumeRemoveCommand.self,
        ])
}
