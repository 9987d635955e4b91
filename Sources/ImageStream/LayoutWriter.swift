import FoundationEssentials
import JSON
import OCI
import SystemIO

/// Puts an image together as an oci-archive (OCI image spec, "Image Layout"), a piece at a time:
/// whoever fetches it passes each piece on before the next comes.
public final class LayoutWriter {
    private let writer: ArchiveWriter
    private let buffer: Buffer

    private final class Buffer {
        var bytes: [UInt8] = []
    }

    /// - Throws: ``ImageStreamError``.
    public init() throws(ImageStreamError) {
        let buffer = Buffer()
        self.buffer = buffer
        writer = try ArchiveWriter { buffer.bytes.append(contentsOf: $0) }
        try writer.write("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
    }

    /// Begins a blob of exactly `size` bytes.
    public func begin(_ digest: Digest, size: Int64) throws(ImageStreamError) {
        try writer.begin(
            digest.blobPath, size: size)
    }

    /// More of the blob.
    public func write(_ bytes: [UInt8]) throws(ImageStreamError) {
        try bytes.withUnsafeBufferPointer { bytes throws(ImageStreamError) in
            try writer.write(UnsafeRawBufferPointer(bytes))
        }
    }

    public func write(_ digest: Digest, _ content: [UInt8]) throws(ImageStreamError) {
        try begin(digest, size: Int64(content.count))
        try write(content)
    }

    /// Ends the archive with the list of its images.
    public func finish(_ index: Index) throws(ImageStreamError) {
        let document: Data
        do {
            document = try CanonicalJSON.encode(index)
        } catch {
            throw .malformed("index.json", reason: "\(error)")
        }
        try writer.write("index.json", Array(document))
        try writer.finish()
    }

    /// What the archive has grown by since the last time.
    public func take() -> [UInt8] {
        defer { buffer.bytes.removeAll(keepingCapacity: true) }
        return buffer.bytes
    }
}
