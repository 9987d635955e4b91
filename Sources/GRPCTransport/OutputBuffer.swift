import Glibc
import SystemIO

/// Bytes that were drawn out of a session and have not been written.
@EventLoop
struct OutputBuffer {
    /// Bytes collected before they are written: a few TLS records.
    private static let size = 64 << 10

    private var bytes: [UInt8] = []
    /// How many of them have been written.
    private var offset = 0
    /// Since when the socket has taken nothing of what there is to write.
    private(set) var blockedSince: ContinuousClock.Instant?

    var isEmpty: Bool { bytes.isEmpty }
    var isFull: Bool { bytes.count >= Self.size }

    mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// - Returns: false when the socket takes no more for now.
    mutating func write(to channel: Channel) throws -> Bool {
        while offset < bytes.count {
            let progress = try bytes.withUnsafeBytes {
                try channel.write(UnsafeRawBufferPointer(rebasing: $0[offset...]))
            }
            switch progress {
            case .done(let count):
                offset += count
                blockedSince = nil
            case .wait:
                if blockedSince == nil { blockedSince = .now }
                return false
            case .end: throw SystemError("write", code: EPIPE)
            }
        }
        bytes.removeAll(keepingCapacity: true)
        offset = 0
        return true
    }
}
