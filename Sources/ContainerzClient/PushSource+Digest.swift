import ContentDigest
import OCI
import SystemIO

extension PushSource {
    /// The SHA-256 of its bytes; reads all of them, so it takes a while.
    ///
    /// - Throws: `SystemError`.
    public func digest() throws(SystemError) -> Digest {
        let hash = ContentHash()
        var offset: Int64 = 0
        while offset < size {
            let bytes = try read(Self.piece, at: offset)
            if bytes.isEmpty { break }
            bytes.withUnsafeBytes { hash.update($0) }
            offset += Int64(bytes.count)
        }
        return hash.finish()
    }

    /// What fits into a processor's cache.
    private static let piece = 256 << 10
}
