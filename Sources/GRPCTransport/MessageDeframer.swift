import GRPCCore

/// Cuts a stream's bytes into messages: gRPC's Length-Prefixed-Message, a flag of one byte and a
/// length of four before each (gRPC over HTTP2, "Requests").
///
/// Pure: bytes go in, messages come out; each byte is copied once, into its message.
struct MessageDeframer {
    private enum State {
        /// Gathering the five bytes before a message.
        case prefix(gathered: UInt64, count: Int)
        case body(MessageBytes)
        case failed
    }

    static let prefixLength = 5

    private var state = State.prefix(gathered: 0, count: 0)
    /// The largest message accepted, in bytes.
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Lets go of what came of a message that will not be finished.
    mutating func abandon() { state = .failed }

    /// Whether the bytes so far end in the middle of a message.
    var isInsideMessage: Bool {
        switch state {
        case .prefix(_, let count): count > 0
        case .body: true
        case .failed: false
        }
    }

    /// Bytes that have come of an unfinished message, its prefix included.
    var gathered: Int {
        switch state {
        case .prefix(_, let count): count
        case .body(let message): Self.prefixLength + message.count
        case .failed: 0
        }
    }

    /// The memory that an unfinished message holds, in bytes: all that its prefix announced.
    var held: Int {
        if case .body(let message) = state { message.capacity } else { 0 }
    }

    /// Takes all the bytes and hands each message that they complete to `deliver`.
    ///
    /// - Throws: RESOURCE_EXHAUSTED for a message over the limit, INTERNAL for a compressed one;
    ///   afterwards all bytes are dropped.
    mutating func append(
        _ bytes: UnsafeRawBufferPointer, deliver: (MessageBytes) -> Void
    ) throws(RPCError) {
        var rest = bytes
        while true {
            // Taken out, so that the message has one owner and is filled in place.
            var current = State.failed
            swap(&current, &state)
            switch consume current {
            case .prefix(var gathered, var count):
                while count < Self.prefixLength, let byte = rest.first {
                    gathered = gathered << 8 | UInt64(byte)
                    count += 1
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
                }
                guard count == Self.prefixLength else {
                    state = .prefix(gathered: gathered, count: count)
                    return
                }
                state = .failed
                // Clamped for where Int has 32 bits.
                let length = try check(
                    flag: gathered >> 32, length: Int(clamping: gathered & 0xFFFF_FFFF))
                state = .body(MessageBytes(capacity: length))
            case .body(var message):
                let taken = message.fill(from: rest)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken))
                guard message.room == 0 else {
                    state = .body(message)
                    return
                }
                state = .prefix(gathered: 0, count: 0)
                deliver(message)
            case .failed:
                state = .failed
                return
            }
        }
    }

    private func check(flag: UInt64, length: Int) throws(RPCError) -> Int {
        guard flag == 0 else {
            throw RPCError(
                code: .internalError,
                message: "a message is marked as compressed, but no grpc-encoding was given")
        }
        guard length <= limit else {
            throw RPCError(
                code: .resourceExhausted,
                message: "a message of \(length) bytes is over the limit of \(limit)")
        }
        return length
    }
}
