import ArgumentParser

struct PluginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin",
        abstract: "Push, start, list, stop and remove plugins of the engine's.",
        subcommands: [
            PluginPushCommand.self, PluginStartCommand.self, PluginListCommand.self,
            PluginStopCommand.self, PluginRemoveCommand.self, PluginRemoveTarCommand.self,
        ])
}
