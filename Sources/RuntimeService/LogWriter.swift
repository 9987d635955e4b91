import Glibc
import SystemIO

/// Writes to a pipe or socket of the caller's, at the pace at which it is read.
@EventLoop
final class LogWriter {
    private let descriptor: Descriptor

    struct ReaderGone: Error {}

    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
    }

    /// - Throws: `ReaderGone`, `SystemError` or `CancellationError`.
    func write(_ bytes: [UInt8]) async throws {
        var offset = 0
        while offset < bytes.count {
            let written: Int?
            do {
                written = try bytes[offset...].withUnsafeBytes { try descriptor.write($0) }
            } catch let error as SystemError
                where error.code == EPIPE || error.code == ECONNRESET
            {
                throw ReaderGone()
            }
            if let written {
                offset += written
            } else {
                try await Watch.once(descriptor.number, for: .writable)
            }
        }
    }
}
