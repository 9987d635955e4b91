import FoundationEssentials
import ImageStream
import OCI
import SystemIO

/// Fetches one image and hands it over as an oci-archive, as it comes.
@EventLoop
public struct ImagePull {
    private let client: RegistryClient
    private let platform: Platform

    /// What happens meanwhile.
    public enum Event: Sendable {
        /// The manifest is known: how many layers, and bytes in all.
        case resolved(digest: Digest, layers: Int, size: Int64)
        case progress(layer: Digest, received: Int64, of: Int64)
    }

    /// - Throws: ``RegistryError``.
    public init(
        _ source: RegistryReference, platform: Platform,
        _ configuration: RegistryClient.Configuration
    ) throws(RegistryError) {
        client = try RegistryClient(source, configuration)
        self.platform = platform
    }

    /// - Parameters:
    ///   - name: what the archive calls the image.
    ///   - output: takes the archive's bytes in order.
    /// - Returns: the digest of the image's manifest.
    /// - Throws: ``RegistryError``, `ImageStreamError`, `CancellationError`, or what `output`
    ///   throws.
    public func run(
        as name: ImageReference, events: @EventLoop (Event) -> Void = { _ in },
        _ output: @escaping @EventLoop ([UInt8]) async throws -> Void
    ) async throws -> Digest {
        let image = try await client.manifest(for: platform)
        let layers = image.manifest.layers
        events(
            .resolved(
                digest: image.descriptor.digest, layers: layers.count,
                size: layers.reduce(Int64(image.manifest.config.size)) { $0 + Int64($1.size) }))
        let archive = try LayoutWriter()
        try archive.write(image.descriptor.digest, image.bytes)
        try await fetch(image.manifest.config, into: archive, { _ in }, output)
        var seen: Set<Digest> = [image.manifest.config.digest]
        // The base of an image may be the empty layer several times.
        for layer in layers where seen.insert(layer.digest).inserted {
            try await fetch(
                layer, into: archive,
                { received in
                    events(
                        .progress(
                            layer: layer.digest, received: received, of: Int64(layer.size)))
                }, output)
        }
        var descriptor = image.descriptor
        descriptor.annotations = ["org.opencontainers.image.ref.name": name.tagged]
        try archive.finish(Index(manifests: [descriptor]))
        try await output(archive.take())
        return image.descriptor.digest
    }

    private func fetch(
        _ descriptor: OCI.Descriptor, into archive: LayoutWriter,
        _ progress: @EventLoop (Int64) -> Void,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        try archive.begin(descriptor.digest, size: Int64(descriptor.size))
        var received: Int64 = 0
        try await client.blob(descriptor) { bytes in
            try archive.write(bytes)
            try await output(archive.take())
            received += Int64(bytes.count)
            progress(received)
        }
    }
}
