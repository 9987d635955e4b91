import ArgumentParser
import Fleet

/// Which device, and how to reach it. The level tells the options before a command from those
/// behind it, which count more.
struct ConnectionOptions<Level>: ParsableArguments {
    @Option(
        name: .customLong("target"),
        help: ArgumentHelp(
            "The device: HOST[:PORT] or unix:PATH; the local containerzd when not given. Any "
                + "number of times.",
            valueName: "target"))
    var targets: [String] = []

    @Option(
        help: ArgumentHelp(
            "Many devices, one a line: HOST[:PORT] [name=NAME] [server-name=NAME] "
                + "[LABEL=VALUE]....", valueName: "file"))
    var targetsFile: String?

    @Option(
        help: ArgumentHelp(
            "Only devices with this label, or by name=GLOB; all have to match.",
            valueName: "label=value"))
    var select: [MemberSelector] = []

    @Option(
        help: ArgumentHelp(
            "The most devices at a time, 32 when not given.", valueName: "number"))
    var parallel: Int?

    @Option(help: ArgumentHelp("Who signs devices' certificates, PEM.", valueName: "file"))
    var ca: String?

    @Option(help: ArgumentHelp("This client's certificate chain, PEM.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Its key, PEM.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The name in the device's certificate, where it is not the target's.",
            valueName: "name"))
    var serverName: String?

    @Flag(help: "No TLS: only for a lab, or for a device on this machine.")
    var insecure = false

    @Option(
        help: ArgumentHelp(
            "How long one call may take, like 30s, 5m or 1h.", valueName: "duration"))
    var timeout: TimeSpan?

    @Flag(help: "Print one JSON object a line.")
    var json = false
}

extension MemberSelector: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
