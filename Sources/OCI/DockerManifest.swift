/// One image in a docker-archive's `manifest.json`, which is a list of these (Docker image
/// specification v1.2, "Combined Image JSON + Filesystem Changeset Format").
public struct DockerManifest: Codable, Hashable, Sendable {
    /// The entry that holds the image's configuration.
    public var config: String
    public var repoTags: [String]?
    /// The entries that hold the layers, the base first.
    public var layers: [String]

    public init(config: String, repoTags: [String]?, layers: [String]) {
        self.config = config
        self.repoTags = repoTags
        self.layers = layers
    }

    enum CodingKeys: String, CodingKey {
        case config = "Config"
        case repoTags = "RepoTags"
        case layers = "Layers"
    }
}
