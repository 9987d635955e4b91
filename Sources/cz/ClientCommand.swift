import ArgumentParser
import SystemIO

struct ClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz",
        abstract: "Put containers on devices through gNOI Containerz.",
        discussion: """
            Exit codes: 0 done; 1 the operation failed; 2 some of several failed; 64 usage; 69 the \
            device or its engine cannot be reached; 77 not allowed.

            Environment: CZ_TARGET, CZ_TARGETS_FILE, CZ_CA, CZ_CERT and CZ_KEY stand for the \
            options of these names.
            """,
        version: containerzVersion,
        subcommands: [
            ImageCommand.self, ContainerCommand.self, VolumeCommand.self, PluginCommand.self,
            DeployCommand.self, UpgradeCommand.self, SystemCommand.self, TLSCommand.self,
        ])

    /// Options before the command mean the same as behind it.
    enum Level {}
    @OptionGroup(title: "Connection")
    var connection: ConnectionOptions<Level>
}
