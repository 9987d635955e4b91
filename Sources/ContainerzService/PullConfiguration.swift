import ServerAddress

/// How the device fetches images by itself: the program that does it, and the files it is given.
public struct PullConfiguration: Sendable {
    public var program = "/usr/bin/cz-pull"
    /// Where layers are kept, so that only new ones are fetched; nil for nowhere.
    public var cache: String?
    /// Mirrors, and how hosts are reached; cz-pull's own when nil.
    public var registries: String?
    /// The device's own credentials for registries.
    public var authfile: String?
    /// The keys of SFTP and SCP servers.
    public var knownHosts: String?

    /// The hosts that clients may have images fetched from; any when nil. Those that are named
    /// exactly may have addresses of this device.
    public var hosts: [HostPattern]?

    public init() {}

    /// Whether clients may name a host.
    ///
    /// - Parameters:
    ///   - host: HOST or HOST:PORT.
    ///   - defaultPort: where there is none.
    func allows(_ host: String, defaultPort: Int?) -> Bool {
        guard let hosts else { return true }
        guard let host = HostAndPort(host) else { return false }
        return hosts.contains { $0.matches(host.host, port: host.port ?? defaultPort) }
    }
}
