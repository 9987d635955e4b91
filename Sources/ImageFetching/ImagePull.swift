import FoundationEssentials
import HTTPClient
import ImageStream
import OCI
import SystemIO

/// Fetches one image and hands it over as an oci-archive, as it comes: several layers are on their
/// way at once, and go out in order.
@EventLoop
public struct ImagePull {
    private let repository: MirroredRepository
    private let platform: Platform
    private let cache: BlobCache?

    /// What happens meanwhile.
    public enum Event: Sendable {
        /// The manifest is known: the layers, each once, and bytes in all.
        case resolved(digest: Digest, layers: [OCI.Descriptor], size: Int64)
        /// Bytes of a layer there are; some may be from an earlier try.
        case progress(layer: Digest, received: Int64, of: Int64)
        /// A layer that need not be fetched.
        case cached(layer: Digest, size: Int64)
    }

    /// Blobs on their way at once.
    private static let mostAtOnce = 3
    /// What signs an image has some hundred bytes.
    private static let largestSignature = 64 << 10
    private static let mostSignatures = 16

    /// - Parameter cache: where blobs are kept and looked for; nil for nowhere.
    /// - Throws: ``FetchError``.
    public init(
        _ source: RegistryReference, platform: Platform, cache: BlobCache?,
        _ configuration: RegistryConfiguration
    ) throws(FetchError) {
        repository = try MirroredRepository(source, configuration)
        self.platform = platform
        self.cache = cache
    }

    /// - Parameters:
    ///   - name: what the archive calls the image.
    ///   - output: takes the archive's bytes in order.
    /// - Returns: the digest of the image's manifest.
    /// - Throws: ``FetchError``, `ImageStreamError`, `SystemError`, `CancellationError`, or what
    ///   `output` throws.
    public func run(
        as name: ImageReference, events: @escaping @EventLoop (Event) -> Void = { _ in },
        _ output: @escaping @EventLoop ([UInt8]) async throws -> Void
    ) async throws -> Digest {
        let image = try await repository.manifest(for: platform)
        var seen: Set<Digest> = [image.manifest.config.digest]
        // The base of an image may be the empty layer several times.
        let layers = image.manifest.layers.filter { seen.insert($0.digest).inserted }
        events(
            .resolved(
                digest: image.document.descriptor.digest, layers: layers,
                size: layers.reduce(Int64(image.manifest.config.size)) { $0 + Int64($1.size) }))
        let archive = try LayoutWriter()
        try archive.write(image.document.descriptor.digest, image.document.bytes)
        try await pass([image.manifest.config] + layers, into: archive, events, output)
        seen.insert(image.document.descriptor.digest)
        let listed = try await addSignatures(of: image, to: archive, besides: &seen)
        try archive.finish(Index(manifests: listed.named(name)))
        try await output(archive.take())
        return image.document.descriptor.digest
    }

    private func pass(
        _ blobs: [OCI.Descriptor], into archive: LayoutWriter,
        _ events: @escaping @EventLoop (Event) -> Void,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        var open: [any BlobReader] = []
        defer { for reader in open { reader.cancel() } }
        var next = blobs.startIndex
        for blob in blobs {
            while next < blobs.endIndex, open.count < Self.mostAtOnce {
                open.append(try start(blobs[next], events, isLayer: next > blobs.startIndex))
                next += 1
            }
            let reader = open[0]
            try archive.begin(blob.digest, size: Int64(blob.size))
            while let bytes = try await reader.next() {
                try archive.write(bytes)
                try await output(archive.take())
            }
            open.removeFirst()
        }
    }

    private func start(
        _ blob: OCI.Descriptor, _ events: @escaping @EventLoop (Event) -> Void, isLayer: Bool
    ) throws -> any BlobReader {
        let (repository, cache) = (repository, cache)
        let fetch = { @Sendable @EventLoop () throws -> any BlobReader in
            let partial = try cache?.begin(blob, from: repository.origin)
            return BlobStream(blob, from: repository, keeping: partial) {
                guard isLayer else { return }
                events(.progress(layer: blob.digest, received: $0, of: Int64(blob.size)))
            }
        }
        guard let cache, cache.has(blob, from: repository.origin) else { return try fetch() }
        return CacheReader(
            blob, confirmedBy: repository,
            cached: {
                guard let cached = cache.blob(blob) else { return nil }
                if isLayer { events(.cached(layer: blob.digest, size: Int64(blob.size))) }
                return cached
            }, fetch: fetch)
    }

    // MARK: Signatures

    /// Who signed the image, for whoever verifies it: signatures may be of the manifest or of the
    /// index it was found in.
    ///
    /// - Parameter seen: what the archive has; nothing is in it twice.
    /// - Returns: what the archive has to list.
    private func addSignatures(
        of image: FetchedManifest, to archive: LayoutWriter, besides seen: inout Set<Digest>
    ) async throws -> [OCI.Descriptor] {
        var listed = [image.document.descriptor]
        if let found = try await repository.signatures(of: image.document.descriptor.digest) {
            listed.append(try await add(found, to: archive, besides: &seen))
        }
        // Whoever reads an index takes its own platform's image out of it.
        if let index = image.index, platform == .current,
            let found = try await repository.signatures(of: index.descriptor.digest)
        {
            if seen.insert(index.descriptor.digest).inserted {
                try archive.write(index.descriptor.digest, index.bytes)
            }
            listed[0] = index.descriptor
            listed.append(try await add(found, to: archive, besides: &seen))
        }
        return listed
    }

    private func add(
        _ signatures: FetchedDocument, to archive: LayoutWriter,
        besides seen: inout Set<Digest>
    ) async throws -> OCI.Descriptor {
        if seen.insert(signatures.descriptor.digest).inserted {
            try archive.write(signatures.descriptor.digest, signatures.bytes)
        }
        let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(signatures.bytes))
        for layer in (manifest?.layers ?? []).prefix(Self.mostSignatures)
        where (0...Self.largestSignature).contains(layer.size) && seen.insert(layer.digest).inserted
        {
            var payload: [UInt8] = []
            try await repository.fetch(BlobProgress(layer)) { payload += $0 }
            try archive.write(layer.digest, payload)
        }
        return signatures.descriptor
    }
}

extension [OCI.Descriptor] {
    /// The first is the image.
    fileprivate func named(_ name: ImageReference) -> [OCI.Descriptor] {
        var descriptors = self
        descriptors[0].annotations = [Annotation.referenceName: name.tagged]
        return descriptors
    }
}
