import FoundationEssentials
import Glibc
import SystemIO

/// A received message: JSON without its NUL, and the descriptors that came with it.
struct Message {
    var bytes: Data
    var descriptors: PassedDescriptors?
}

/// A peer that does not keep to the protocol; the connection ends.
public enum ProtocolViolation: Error, Hashable, Sendable, CustomStringConvertible {
    case messageTooLong
    case tooManyDescriptors
    case endInsideMessage
    /// Not a call, or not a reply, for this reason.
    case malformed(String)

    public var description: String {
        switch self {
        case .messageTooLong:
            "a message is longer than \(MessageBuffer.longestMessage) bytes"
        case .tooManyDescriptors:
            "more than \(StreamSocket.maximumDescriptors) descriptors came with a message"
        case .endInsideMessage: "the connection ended in the middle of a message"
        case .malformed(let reason): "malformed message: \(reason)"
        }
    }
}

/// Cuts a stream of bytes into messages at their NULs. Each byte is looked at once.
struct MessageBuffer {
    /// What systemd's implementation takes, too.
    static let longestMessage = 16 << 20
    /// Room for an ordinary call; an idle connection holds this much.
    static let smallestRoom = 4096

    private var storage: [UInt8] = []
    /// Where the first message begins, where to go on looking for its NUL, where the bytes end.
    private var start = 0
    private var scanned = 0
    private var end = 0
    /// Bytes of the stream before `storage[0]`.
    private var dropped = 0
    private var descriptors: [(lastByte: Int, passed: PassedDescriptors)] = []
    private let limit: Int

    init(limit: Int = longestMessage) {
        self.limit = limit
    }

    /// Bytes that wait, complete messages and the beginning of one.
    var count: Int { end - start }

    /// Lets `read` fill free room; it returns how many bytes it wrote and what came with them.
    mutating func fill(
        _ read: (UnsafeMutableRawBufferPointer) -> (Int, PassedDescriptors?)
    ) {
        makeRoom()
        let end = self.end
        let (count, passed) = storage.withUnsafeMutableBytes { storage in
            read(UnsafeMutableRawBufferPointer(rebasing: storage[end...]))
        }
        self.end += count
        if let passed { attach(passed) }
    }

    /// The kernel ends a read after the bytes that descriptors were sent with, and a sender
    /// sends them with one message alone: they belong to the message of the last byte read.
    private mutating func attach(_ passed: PassedDescriptors) {
        descriptors.append((dropped + end - 1, passed))
    }

    /// Descriptors that wait for the end of their message.
    var waitingDescriptors: Int { descriptors.reduce(0) { $0 + $1.passed.count } }

    private mutating func makeRoom() {
        if start == end {
            dropped += end
            (start, scanned, end) = (0, 0, 0)
            // One long message should not cost its size for as long as the connection lives.
            if storage.count > 16 * Self.smallestRoom { storage = [] }
        }
        guard storage.count - end < Self.smallestRoom else { return }
        if start > storage.count / 2 {
            storage.withUnsafeMutableBytes { bytes in
                _ = bytes.baseAddress.map { memmove($0, $0 + start, end - start) }
            }
            dropped += start
            (start, scanned, end) = (0, scanned - start, end - start)
        } else {
            let size = max(2 * storage.count, Self.smallestRoom)
            storage.append(contentsOf: repeatElement(0, count: size - storage.count))
        }
    }

    /// Whether ``next()`` has anything to say.
    var isReady: Bool {
        mutating get { findEnd() != nil || count > limit }
    }

    /// The next complete message.
    mutating func next() throws(ProtocolViolation) -> Message? {
        guard let length = findEnd() else {
            guard end - start <= limit else { throw .messageTooLong }
            return nil
        }
        guard length <= limit else { throw .messageTooLong }
        let bytes = Data(storage[start..<start + length])
        start += length + 1
        scanned = start
        var numbers: [PassedDescriptors] = []
        while let first = descriptors.first, first.lastByte < dropped + start {
            numbers.append(first.passed)
            descriptors.removeFirst()
        }
        return Message(bytes: bytes, descriptors: PassedDescriptors.joined(numbers))
    }

    private mutating func findEnd() -> Int? {
        let found = storage.withUnsafeBytes { bytes -> Int? in
            guard let base = bytes.baseAddress, end > scanned,
                let nul = memchr(base + scanned, 0, end - scanned)
            else { return nil }
            return UnsafeRawPointer(nul) - base
        }
        scanned = found ?? end
        return found.map { $0 - start }
    }
}

extension PassedDescriptors {
    /// All of several groups, in order.
    static func joined(_ groups: [PassedDescriptors]) -> PassedDescriptors? {
        guard groups.count > 1 else { return groups.first }
        return PassedDescriptors(owning: groups.flatMap { $0.releaseAll() })
    }
}
