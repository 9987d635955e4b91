import CArchive
import ContentDigest
import FoundationEssentials
import JSON
import OCI
import SystemIO

/// An image that was passed on.
public struct NormalisedImage: Hashable, Sendable {
    /// The only tag it was given.
    public var name: ImageReference
    /// Its identity: the digest of its configuration.
    public var configDigest: Digest
    /// Bytes of the docker-archive that was written.
    public var size: Int64
    /// Who signed it, as far as the archive tells; nil for a docker-archive.
    public var signatures: ArchiveSignatures?
}

/// Verifies an image archive and rewrites it, as it flows.
///
/// In goes a docker-archive or an oci-archive, plain or compressed. Out comes a plain
/// docker-archive of that image under one name, its layers as they were. Layers go by at once;
/// the manifest follows at the end, when everything has been found to be right: without it no
/// engine takes the archive for an image. Memory stays flat whatever the size.
public struct ImageStream {
    /// Real images have three entries a layer, and at most 127 layers.
    static let mostEntries = 10_000
    /// A configuration or a manifest has some kilobytes.
    static let largestDocument = 4 << 20
    static let mostMetadata = 8 << 20
    /// What tells a document from a layer: enough for the magic number of a tar archive.
    static let headSize = 512

    private let limits: ImageStreamLimits
    private let reader: ArchiveReader
    private let writer: ArchiveWriter
    private var contents = ArchiveContents()
    private var entries = 0
    private var metadata = 0
    private var inflated: Int64 = 0

    /// Passes an archive on; it blocks, so call it on a thread of its own.
    ///
    /// - Parameters:
    ///   - output: a pipe or file that blocks; closed at the end.
    ///   - name: the tag to give it; nil for the archive's own, when it has just one.
    public static func normalise(
        from source: some ByteSource, to output: consuming SystemIO.Descriptor,
        as name: ImageReference?,
        limits: ImageStreamLimits
    ) throws(ImageStreamError) -> NormalisedImage {
        let next: ArchiveReader.Source = { () throws(ImageStreamError) in
            do {
                return try source.next()
            } catch {
                throw .source(error)
            }
        }
        let writer = try ArchiveWriter(to: output)
        let reader = try ArchiveReader(from: next, limit: limits.maximumExpansion)
        var stream = ImageStream(limits: limits, reader: reader, writer: writer)
        try stream.readEntries()
        // What follows the archive's end belongs to nobody, but is still to come.
        while try !next().isEmpty {}
        return try stream.finish(as: name)
    }

    private init(limits: ImageStreamLimits, reader: ArchiveReader, writer: ArchiveWriter) {
        self.limits = limits
        self.reader = reader
        self.writer = writer
    }

    private mutating func readEntries() throws(ImageStreamError) {
        while let entry = try reader.nextEntry() {
            entries += 1
            guard entries <= Self.mostEntries else {
                throw .tooManyEntries(limit: Self.mostEntries)
            }
            try checkExpansion(reader.bytesRead)
            let name = try EntryName(entry.name)
            if let target = entry.hardlink {
                try contents.add(link: name, to: try EntryName(target))
                continue
            }
            switch archive_entry_filetype(entry) {
            case cz_directory: continue
            case cz_symbolic_link:
                try contents.add(link: name, to: try name.following(entry.symlink))
            case cz_regular_file: try readFile(name, entry)
            default: throw .unsafeEntry(name.path, reason: "is a device, a pipe or a socket")
            }
        }
    }

    private mutating func readFile(
        _ name: EntryName, _ entry: OpaquePointer
    ) throws(ImageStreamError) {
        guard archive_entry_sparse_count(entry) == 0 else {
            throw .unsafeEntry(name.path, reason: "is a sparse file")
        }
        let size = archive_entry_size(entry)
        try checkExpansion(reader.bytesRead.addingReportingOverflow(size).partialValue)
        let content = try EntryContent(of: reader, expansion: limits.maximumExpansion)
        if size <= Self.largestDocument, content.looksLikeJSON {
            try readDocument(name, content)
        } else if !name.isMarker {
            try passLayer(name, content, size: size)
        }
    }

    private mutating func readDocument(
        _ name: EntryName, _ content: EntryContent
    ) throws(ImageStreamError) {
        var document: [UInt8] = []
        while true {
            let bytes = try content.next()
            if bytes.isEmpty { break }
            metadata += bytes.count
            guard metadata <= Self.mostMetadata else {
                throw .tooMuchMetadata(limit: Self.mostMetadata)
            }
            document.append(contentsOf: bytes)
        }
        if let promised = name.digest {
            let actual = ContentHash.digest(of: document, promised.algorithm)
            try Self.expect(promised, actual, name)
        }
        try contents.add(document, as: name)
    }

    private mutating func passLayer(
        _ name: EntryName, _ content: EntryContent, size: Int64
    ) throws(ImageStreamError) {
        let ourName = "\(contents.layers.count + 1).tar"
        try writer.begin(ourName, size: size)
        let hash = ContentHash(name.digest?.algorithm ?? .sha256)
        let writer = self.writer
        let pass = { () throws(ImageStreamError) -> UnsafeRawBufferPointer in
            let bytes = try content.next()
            hash.update(bytes)
            try writer.write(bytes)
            return bytes
        }
        var diffID: Digest?
        if let compression = content.compression {
            diffID = try inflate(name, compression, from: pass)
        }
        while try !pass().isEmpty {}
        let digest = hash.finish()
        if let promised = name.digest { try Self.expect(promised, digest, name) }
        try contents.add(
            .init(name: ourName, size: size, digest: digest, diffID: diffID ?? digest), as: name)
    }

    /// The digest of a layer without its compression.
    private mutating func inflate(
        _ name: EntryName, _ compression: Compression, from source: @escaping ArchiveReader.Source
    ) throws(ImageStreamError) -> Digest {
        do throws(ImageStreamError) {
            let subject = "'\(name.path)' in the archive"
            let layer = try Decompressor(compression, of: subject, from: source, budget: .shared)
            let content = try layer.content(of: subject)
            let hash = ContentHash()
            while true {
                let bytes = try content()
                if bytes.isEmpty { break }
                hash.update(bytes)
                inflated += Int64(bytes.count)
                try checkExpansion(inflated)
            }
            return hash.finish()
        } catch {
            if case .damaged(let reason) = error {
                throw .damaged(reason: "\(name): \(reason)")
            }
            throw error
        }
    }

    private consuming func finish(
        as name: ImageReference?
    ) throws(ImageStreamError) -> NormalisedImage {
        let image = try contents.image(named: name)
        let configName = "\(image.configDigest.hexadecimal).json"
        try writer.write(configName, image.config)
        let manifest = DockerManifest(
            config: configName, repoTags: [image.name.tagged], layers: image.layers.map(\.name))
        let document: Data
        do {
            // The same image gives the same bytes, every time.
            document = try CanonicalJSON.encode([manifest])
        } catch {
            throw .malformed("manifest.json", reason: "\(error)")
        }
        try writer.write("manifest.json", Array(document))
        try writer.finish()
        return NormalisedImage(
            name: image.name, configDigest: image.configDigest, size: writer.bytesWritten,
            signatures: image.signatures)
    }

    private func checkExpansion(_ bytes: Int64) throws(ImageStreamError) {
        guard bytes >= 0, bytes <= limits.maximumExpansion else {
            throw .tooLarge(limit: limits.maximumExpansion)
        }
    }

    private static func expect(
        _ promised: Digest, _ actual: Digest, _ name: EntryName
    ) throws(ImageStreamError) {
        if promised != actual {
            throw .wrongDigest(name.path, expected: promised, actual: actual)
        }
    }
}

extension EntryName {
    /// Files of a fixed text that say how the archive is laid out.
    fileprivate var isMarker: Bool {
        path == "VERSION" || path.hasSuffix("/VERSION") || path == "repositories"
    }
}
