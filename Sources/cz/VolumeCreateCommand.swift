import ArgumentParser
import ContainerzClient
import SystemIO

struct VolumeCreateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a volume and print its name.")

    @Argument(help: "Its name; made up when not given.")
    var name: String?

    @Option(help: ArgumentHelp("A directory of the device that it stands for.", valueName: "path"))
    var bind: String?

    @Option(
        name: .customLong("mount-option"),
        help: ArgumentHelp("A further mount option of the bind, such as ro.", valueName: "option"))
    var mountOptions: [String] = []

    @Option(help: ArgumentHelp("A volume plugin on the device.", valueName: "plugin"))
    var driver: String?

    @Option(
        name: .customLong("driver-option"),
        help: ArgumentHelp("An option of the plugin's.", valueName: "key=value"))
    var driverOptions: [String] = []

    @Option(
        name: .customLong("label"), help: ArgumentHelp("Set a label.", valueName: "key=value"))
    var labels: [String] = []

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    private struct Created: Encodable { var volume: String }

    private var volume: VolumeOptions {
        var volume = VolumeOptions()
        volume.name = name ?? ""
        volume.bind = bind
        volume.mountOptions = mountOptions
        volume.driver = driver
        volume.driverOptions = driverOptions
        volume.labels = labels
        return volume
    }

    func validate() throws {
        do throws(OptionError) {
            _ = try volume.request()
        } catch {
            throw ValidationError(error.description)
        }
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let request = try volume.request()
        try Program.run("volume create", connection) { device in
            let name = try await device.create(request)
            if connection.json {
                try Output.write(json: Created(volume: name))
            } else {
                try Output.write(line: name)
            }
        }
    }
}
