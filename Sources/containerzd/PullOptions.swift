import ArgumentParser
import ContainerzService
import Glibc
import ServerAddress

/// How the device fetches images by itself.
struct PullOptions: ParsableArguments {
    @Option(
        name: .customLong("pull-program"),
        help: ArgumentHelp(
            "What fetches them; the cz-pull beside this program when not given.",
            valueName: "path"))
    var program: String?

    @Option(
        name: .customLong("pull-cache"),
        help: ArgumentHelp(
            "Where layers are kept, so that only new ones are fetched.", valueName: "folder"))
    var cache: String?

    @Option(
        name: .customLong("pull-registries"),
        help: ArgumentHelp("Mirrors, and how hosts are reached.", valueName: "file"))
    var registries: String?

    @Option(
        name: .customLong("pull-authfile"),
        help: ArgumentHelp("The device's own credentials for registries.", valueName: "file"))
    var authfile: String?

    @Option(
        name: .customLong("pull-known-hosts"),
        help: ArgumentHelp("The keys of SFTP and SCP servers.", valueName: "file"))
    var knownHosts = "/etc/containerz/known_hosts"

    @Option(
        name: .customLong("pull-from"),
        help: ArgumentHelp(
            """
            Host that clients may have images fetched from: HOST, HOST:PORT, *.DOMAIN or *, any \
            number of times (default: any host). An exact name also allows addresses of this \
            device, which are denied otherwise.
            """, valueName: "host"))
    var hosts: [HostPattern] = []

    var configuration: PullConfiguration {
        var configuration = PullConfiguration()
        configuration.program = program ?? Self.usualProgram()
        configuration.cache = cache
        configuration.registries = registries
        configuration.authfile = authfile
        configuration.knownHosts = knownHosts
        configuration.hosts = hosts.isEmpty ? nil : hosts
        return configuration
    }

    /// In the same folder, or in bin beside sbin.
    private static func usualProgram() -> String {
        guard let resolved = realpath("/proc/self/exe", nil) else { return "cz-pull" }
        defer { free(resolved) }
        let folder = String(cString: resolved).split(separator: "/").dropLast()
            .map { "/\($0)" }.joined()
        return ["\(folder)/cz-pull", "\(folder)/../bin/cz-pull"]
            .first { access($0, X_OK) == 0 } ?? "\(folder)/cz-pull"
    }
}

extension HostPattern: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
