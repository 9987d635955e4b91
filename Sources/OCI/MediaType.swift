/// The media types of what an image's descriptors lead to (OCI image spec, "Media Types"; Docker's
/// "Image Manifest Version 2, Schema 2").
public enum MediaType {
    /// Of the manifest of one image, OCI's first.
    public static let manifests = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    /// Of an index of several.
    public static let indexes = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
}

/// Keys of annotations (OCI image spec, "Pre-Defined Annotation Keys").
public enum Annotation {
    /// A tag, or by some tools a whole name.
    public static let referenceName = "org.opencontainers.image.ref.name"
}

extension Digest {
    /// The place of the content in an image layout (OCI image spec, "Blobs").
    public var blobPath: String { "blobs/\(algorithm.rawValue)/\(hexadecimal)" }

    /// The tag under which cosign puts the signatures of this in the same repository.
    public var signatureTag: String { "\(algorithm.rawValue)-\(hexadecimal).sig" }
}
