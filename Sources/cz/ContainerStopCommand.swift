import ArgumentParser
import ContainerzClient
import SystemIO

struct ContainerStopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop containers.",
        discussion: "A container that does not end by itself in 10 seconds is killed.")

    @Argument(help: "Instance names.", completion: LiveCompletion.instances)
    var instances: [String]

    @Flag(help: "Kill them at once.")
    var force = false

    @Flag(help: "Start them again.")
    var restart = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private struct Stopped: Encodable {
        var stopped: String
        var restarted: Bool
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (force, restart) = (force, restart)
        try Program.forEach(instances, "container stop", connection) { device, instance in
            try await device.stop(instance, force: force, restart: restart)
            if connection.json {
                try Output.write(json: Stopped(stopped: instance, restarted: restart))
            }
        }
    }
}
