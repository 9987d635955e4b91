/// An image in a registry: where it is, and which it is (OCI distribution spec, "Pull").
public struct RegistryReference: Hashable, Sendable, CustomStringConvertible {
    /// `HOST` or `HOST:PORT`.
    public let registry: String
    /// The repository's name in the registry.
    public let repository: String
    /// What is asked for: the digest where there is one, and the tag otherwise.
    public let reference: String
    public let tag: String?
    public let digest: Digest?

    /// - Returns: nil when the reference names no registry, as in `alpine:3`: which one is meant
    ///   is a guess, and a guess is not what a device should run.
    public init?(_ image: ImageReference) {
        guard let registry = ImageReference.registry(of: image.repository) else { return nil }
        self.registry = String(registry)
        repository = String(image.repository[registry.endIndex...].dropFirst())
        digest = image.digest
        tag = image.digest == nil ? image.tag ?? ImageReference.defaultTag : image.tag
        reference = image.digest.map { "\($0)" } ?? image.tag ?? ImageReference.defaultTag
    }

    public var description: String {
        "\(registry)/\(repository)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }
}
