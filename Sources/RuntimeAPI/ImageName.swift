import OCI

/// A repository and one of its tags, as the client wrote them.
public struct ImageName: Codable, Hashable, Sendable, CustomStringConvertible {
    /// The name without a tag, and without the prefixes engines add (`localhost/`,
    /// `docker.io/library/`).
    public var repository: String
    public var tag: String

    public init(repository: String, tag: String) {
        self.repository = repository
        self.tag = tag
    }

    /// The one that a reference stands for: with `latest` where it has no tag, and whatever digest it
    /// has.
    public init(_ reference: ImageReference) {
        self.init(
            repository: reference.repository, tag: reference.tag ?? ImageReference.defaultTag)
    }

    public var description: String { "\(repository):\(tag)" }
}
