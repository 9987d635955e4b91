import Glibc
import SystemIO

/// Writes to a pipe or file of the caller's, at the pace at which it is read.
@EventLoop
final class LogWriter {
    private let descriptor: Descriptor

    struct ReaderGone: Error {}

    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
    }

    /// - Throws: `ReaderGone`, `SystemError` or `CancellationError`.
    func write(_ bytes: ArraySlice<UInt8>) async throws {
        var rest = bytes
        while !rest.isEmpty {
            let written: Int?
            do {
                written = try rest.withUnsafeBytes { try descriptor.write($0) }
            } catch let error as SystemError
                where error.code == EPIPE || error.code == ECONNRESET
            {
                throw ReaderGone()
            }
            if let written {
                rest = rest.dropFirst(written)
            } else {
                try await Watch.once(descriptor.number, for: .writable)
            }
        }
    }
}
