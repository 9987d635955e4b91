import ArgumentParser
import ContainerzClient
import SystemIO

struct VolumeRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove volumes that no container uses.",
        aliases: ["rm"])

    @Argument(help: "Their names.", completion: LiveCompletion.volumes)
    var volumes: [String]

    @Flag(help: "Although a volume's plugin does not answer.")
    var force = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let force = force
        try Program.forEach(volumes, "volume remove", connection) { device, volume in
            try await device.removeVolume(volume, force: force)
            if connection.json { try Output.write(json: Output.Removed(removed: volume)) }
        }
    }
}
