/// A reference from one piece of content to another (OCI image spec, "Content Descriptors").
public struct Descriptor: Codable, Hashable, Sendable {
    public var mediaType: String?
    public var digest: Digest
    /// In bytes.
    public var size: Int
    public var annotations: [String: String]?
    public var platform: Platform?

    public init(
        mediaType: String?, digest: Digest, size: Int, annotations: [String: String]? = nil,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }
}
