/// An image in the engine's storage.
public struct Image: Codable, Hashable, Sendable {
    /// The digest of its configuration, `sha256:…`.
    public var id: String
    /// Every name it goes by; empty when its last tag has moved to another image.
    public var names: [ImageName]
    /// Bytes it occupies, layers shared with others included.
    public var size: Int64
    /// When it was built, in seconds since 1970.
    public var created: Int64
    /// `REPOSITORY@sha256:…` of the manifests it was fetched by; empty for loaded images.
    public var digests: [String]

    public init(
        id: String, names: [ImageName], size: Int64 = 0, created: Int64 = 0, digests: [String] = []
    ) {
        self.id = id
        self.names = names
        self.size = size
        self.created = created
        self.digests = digests
    }
}
