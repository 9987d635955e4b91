/// A list of manifests (OCI image spec, "Image Index"; Docker's manifest list likewise).
public struct Index: Codable, Hashable, Sendable {
    public var manifests: [Descriptor]

    public init(manifests: [Descriptor]) {
        self.manifests = manifests
    }
}
