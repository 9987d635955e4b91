import Glibc

/// Reads a pipe on the loop.
@EventLoop
public final class PipeReader {
    private let descriptor: Descriptor
    private let buffer: UnsafeMutableRawBufferPointer

    private static let bufferSize = 64 << 10

    public init(_ descriptor: consuming Descriptor) throws(SystemError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
        buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
    }

    isolated deinit { buffer.deallocate() }

    /// Hands over what there is.
    ///
    /// - Returns: how many bytes; 0 at the end, nil when there is nothing yet.
    public func read(_ body: (UnsafeRawBufferPointer) -> Void) throws(SystemError) -> Int? {
        guard let count = try descriptor.read(into: buffer) else { return nil }
        if count > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }

    /// Until there is something to read, or the end.
    public func wait() async throws {
        try await Watch.once(descriptor.number, for: .readable)
    }

    /// The same, but not for longer than a while.
    ///
    /// - Returns: false when the time was up.
    public func wait(atMost duration: Duration) async throws -> Bool {
        do {
            try await Watch.once(descriptor.number, for: .readable, timeout: duration)
            return true
        } catch let error as SystemError where error.code == ETIMEDOUT {
            return false
        }
    }
}
