import ArgumentParser
import ContainerzClient

/// The options that say how a container is started.
struct StartArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Its instance name; made up when not given.", valueName: "name"))
    var instance: String?

    @Option(
        name: [.customShort("p"), .customLong("publish")],
        help: ArgumentHelp("Publish a port.", valueName: "host:container"))
    var ports: [String] = []

    @Option(
        name: [.customShort("e"), .customLong("env")],
        help: ArgumentHelp("Set a variable of its environment.", valueName: "key=value"))
    var environment: [String] = []

    @Option(
        name: [.customShort("v"), .customLong("volume")],
        help: ArgumentHelp("Mount a volume.", valueName: "volume:path[:ro]"))
    var volumes: [String] = []

    @Option(help: "Its network; host shares the device's.")
    var network: String?

    @Option(help: "When to start it again: no, always, unless-stopped, on-failure[:N].")
    var restart: String?

    @Option(help: ArgumentHelp("Whom to run as.", valueName: "user[:group]"))
    var user: String?

    @Option(help: ArgumentHelp("Add a capability.", valueName: "name"))
    var capAdd: [String] = []

    @Option(help: ArgumentHelp("Drop a capability.", valueName: "name"))
    var capDrop: [String] = []

    @Option(
        name: .customLong("device"),
        help: ArgumentHelp("Give it a device.", valueName: "path[:path[:rwm]]"))
    var devices: [String] = []

    @Option(help: "The most processors' worth of time, like 1.5.")
    var cpus: Double?

    @Option(help: ArgumentHelp("The most memory, like 64m.", valueName: "size"))
    var memory: String?

    @Option(
        help: ArgumentHelp("Memory to get back to when it is short.", valueName: "size"))
    var memorySoft: String?

    @Option(
        name: .customLong("label"), help: ArgumentHelp("Set a label.", valueName: "key=value"))
    var labels: [String] = []

    @Option(help: "The supervisor: primary, backup or all.")
    var location: String?

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("After --: the command and its arguments.", valueName: "cmd"))
    var command: [String] = []

    var options: StartOptions {
        var options = StartOptions()
        options.instance = instance ?? ""
        options.ports = ports
        options.environment = environment
        options.volumes = volumes
        options.network = network ?? ""
        options.restart = restart ?? "no"
        options.user = user ?? ""
        options.addedCapabilities = capAdd
        options.droppedCapabilities = capDrop
        options.devices = devices
        options.cpus = cpus
        options.memory = memory
        options.softMemory = memorySoft
        options.labels = labels
        options.location = location
        options.command = command
        return options
    }

    func validate() throws {
        do throws(OptionError) {
            _ = try options.request(for: nil)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
