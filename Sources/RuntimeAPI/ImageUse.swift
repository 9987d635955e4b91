/// An image as whoever cleans up has to see it.
public struct ImageUse: Codable, Hashable, Sendable {
    /// The digest of its configuration, `sha256:…`.
    public var id: String
    /// Every name it goes by.
    public var names: [ImageName]
    /// `REPOSITORY@sha256:…` of the manifests that the engine itself fetched it by.
    public var digests: [String]
    public var labels: [String: String]
    /// Bytes it occupies, layers shared with others included.
    public var size: Int64
    /// When it was built, in seconds since 1970.
    public var created: Int64
    /// When it was loaded, or a container used it, for the last time, in seconds since 1970.
    public var lastUsed: Int64
    /// Whether it can be fetched again; one that was pushed cannot.
    public var fetched: Bool
    /// Whether it was loaded through this interface.
    public var managed: Bool
    /// A container of it, running or not; nil where there is none.
    public var container: String?
    /// Who needs it at this moment; nil for nobody.
    public var held: String?

    public init(
        id: String, names: [ImageName] = [], digests: [String] = [],
        labels: [String: String] = [:], size: Int64 = 0, created: Int64 = 0, lastUsed: Int64 = 0,
        fetched: Bool = false, managed: Bool = true, container: String? = nil, held: String? = nil
    ) {
        self.id = id
        self.names = names
        self.digests = digests
        self.labels = labels
        self.size = size
        self.created = created
        self.lastUsed = lastUsed
        self.fetched = fetched
        self.managed = managed
        self.container = container
        self.held = held
    }
}
