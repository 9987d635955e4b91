import Glibc
import RuntimeAPI

/// Where things are when nobody says so.
enum UsualFiles {
    /// What `docker login` writes.
    static var authentication: String? {
        if let path = variable("REGISTRY_AUTH_FILE") { return path }
        let folder = variable("DOCKER_CONFIG") ?? variable("HOME").map { "\($0)/.docker" }
        return folder.flatMap { existing("\($0)/config.json") }
    }

    static var runtimeSocket: String { RuntimeSocket.current }

    static var registries: String? { existing("/etc/containerz/registries.json") }

    static var knownHosts: String? {
        variable("HOME").flatMap { existing("\($0)/.ssh/known_hosts") }
            ?? existing("/etc/ssh/ssh_known_hosts")
    }

    private static func existing(_ path: String) -> String? {
        access(path, F_OK) == 0 ? path : nil
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
