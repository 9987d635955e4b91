import ArgumentParser

struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Push, pull, list and remove images.",
        subcommands: [
            ImagePushCommand.self, ImagePullCommand.self, ImageListCommand.self,
            ImageRemoveCommand.self,
        ])
}
