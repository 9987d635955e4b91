/// A program of the engine's own that serves it, such as a volume driver.
public struct Plugin: Codable, Hashable, Sendable {
    /// The engine gives plugins no labels; this entry of its environment says, in a config.json,
    /// which tarball a plugin was made from: the digest, `sha256:…`.
    public static let digestVariable = "CONTAINERZ_PLUGIN_DIGEST"

    public var id: String
    /// Its instance name and the tag `latest`.
    public var name: String
    public var isRunning: Bool
    /// The digest of the tarball it was made from; nil when it was made in another way.
    public var digest: String?
    /// Its config.json, as the engine has it, without ``digestVariable``.
    public var config: String

    public init(id: String, name: String, isRunning: Bool, digest: String?, config: String) {
        self.id = id
        self.name = name
        self.isRunning = isRunning
        self.digest = digest
        self.config = config
    }

    private enum CodingKeys: String, CodingKey {
        case id, name
        case isRunning = "running"
        case digest, config
    }
}
