/// What an image's configuration says of its layers (OCI image spec, "Image Configuration"); the
/// rest of it is the engine's business.
public struct ImageConfig: Codable, Hashable, Sendable {
    public struct RootFileSystem: Codable, Hashable, Sendable {
        /// The digests of the layers' uncompressed tar archives, the base first.
        public var diffIDs: [Digest]

        enum CodingKeys: String, CodingKey { case diffIDs = "diff_ids" }
    }

    public var rootfs: RootFileSystem
}
