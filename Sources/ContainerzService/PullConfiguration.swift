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

    public init() {}
}
