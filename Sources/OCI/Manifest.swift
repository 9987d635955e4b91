/// One image: its configuration and its layers, the base first (OCI image spec, "Image
/// Manifest"; Docker's version 2, schema 2 has the same members).
public struct Manifest: Codable, Hashable, Sendable {
    public var config: Descriptor
    public var layers: [Descriptor]

    public init(config: Descriptor, layers: [Descriptor]) {
        self.config = config
        self.layers = layers
    }
}
