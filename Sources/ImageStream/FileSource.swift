import ContentDigest
import OCI
import SystemIO

/// A file's bytes, hashed as they go by.
public final class FileSource: ByteSource {
    private let descriptor: SystemIO.Descriptor
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private let hash = ContentHash()

    /// - Parameter descriptor: where reading goes on from; closed at the end.
    public init(_ descriptor: consuming SystemIO.Descriptor) {
        self.descriptor = descriptor
    }

    deinit { buffer.deallocate() }

    public func next() throws -> UnsafeRawBufferPointer {
        let count = try descriptor.read(into: buffer) ?? 0
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        hash.update(bytes)
        return bytes
    }

    /// The SHA-256 of all that was read; nothing may follow.
    func finish() -> Digest { hash.finish() }
}
