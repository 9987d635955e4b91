import ArgumentParser

struct ContainerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Start, list, watch, update, stop and remove containers.",
        subcommands: [
            ContainerStartCommand.self, ContainerListCommand.self, ContainerStopCommand.self,
            ContainerRemoveCommand.self, ContainerLogsCommand.self, ContainerUpdateCommand.self,
        ])
}
