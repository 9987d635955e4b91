/// Messages waiting to become DATA frames, framed as they are read out.
struct OutboundMessages {
    private var messages: [MessageBytes] = []
    /// The first message not read out yet; those before it are done with.
    private var head = 0
    /// How much of the head's prefix and body has been read out.
    private var offset = 0
    /// Bytes waiting, prefixes included.
    private(set) var count = 0

    mutating func append(_ message: MessageBytes) {
        messages.append(message)
        count += MessageDeframer.prefixLength + message.count
    }

    mutating func removeAll() {
        self = OutboundMessages()
    }

    /// Moves up to `destination.count` bytes out.
    ///
    /// - Returns: how many.
    mutating func read(into destination: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        while written < destination.count, head < messages.count {
            let message = messages[head]
            if offset < MessageDeframer.prefixLength {
                let prefix = UInt64(message.count)
                while offset < MessageDeframer.prefixLength, written < destination.count {
                    let shift = 8 * (MessageDeframer.prefixLength - 1 - offset)
                    destination[written] = UInt8(truncatingIfNeeded: prefix >> UInt64(shift))
                    offset += 1
                    written += 1
                }
                continue
            }
            let start = offset - MessageDeframer.prefixLength
            let length = min(message.count - start, destination.count - written)
            message.withUnsafeBytes { source in
                UnsafeMutableRawBufferPointer(rebasing: destination[written...]).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start..<(start + length)]))
            }
            written += length
            offset += length
            if offset == MessageDeframer.prefixLength + message.count { advance() }
        }
        // A message without a body ends with its prefix.
        if head < messages.count, offset == MessageDeframer.prefixLength,
            messages[head].count == 0
        {
            advance()
        }
        count -= written
        return written
    }

    private static let nothing = MessageBytes(capacity: 0)

    private mutating func advance() {
        messages[head] = Self.nothing
        head += 1
        offset = 0
        if head == messages.count {
            messages.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 32 {
            messages.removeFirst(head)
            head = 0
        }
    }
}
