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

    /// The hosts that clients may have images fetched from, `HOST`, `HOST:PORT` or `*.DOMAIN`; any
    /// when nil.
    public var hosts: [String]?

    public init() {}

    /// Whether clients may name a host, with or without a port.
    func allows(_ host: String) -> Bool {
        guard let hosts else { return true }
        // The brackets of an IPv6 address have colons in them.
        let end = host.lastIndex(of: "]") ?? host.startIndex
        let name = host[end...].firstIndex(of: ":").map { String(host[..<$0]) } ?? host
        return hosts.contains { pattern in
            if pattern.hasPrefix("*.") { return name.lowercased().hasSuffix(pattern.dropFirst()) }
            return pattern == host.lowercased() || pattern == name.lowercased()
        }
    }
}
