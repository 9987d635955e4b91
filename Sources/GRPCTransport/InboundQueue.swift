import GRPCCore

/// What an RPC receives, on either side, in the order it came.
enum InboundPart: Sendable {
    case metadata(Metadata)
    case message(MessageBytes)
    /// On a client, the end.
    case status(Status, Metadata)
}

/// The parts received and not taken yet, and how the stream ended. Pure.
struct InboundQueue {
    private enum Ending {
        case open
        case finished
        case failed(RPCError)
    }

    /// The outcome of asking for the next part.
    enum Next {
        case part(InboundPart)
        case end
        case failure(RPCError)
        /// Nothing yet.
        case wait
    }

    private(set) var parts: [InboundPart] = []
    private var head = 0
    private var ending = Ending.open

    /// The memory that the parts hold, in bytes.
    private(set) var held = 0
    /// What the messages took of the peer's window, in bytes.
    private(set) var wireBytes = 0

    /// What a part takes beside its bytes; without it empty messages, five bytes each on the
    /// wire, would count as nothing.
    private static let overhead = 128

    var isEmpty: Bool { head == parts.count }

    private static func size(of part: InboundPart) -> Int {
        switch part {
        case .message(let message): overhead + message.capacity
        case .metadata, .status: overhead
        }
    }

    private static func wireBytes(of part: InboundPart) -> Int {
        switch part {
        case .message(let message): MessageDeframer.prefixLength + message.count
        case .metadata, .status: 0
        }
    }

    /// Adds a part; one that comes after the end is dropped.
    mutating func append(_ part: InboundPart) {
        guard case .open = ending else { return }
        parts.append(part)
        held += Self.size(of: part)
        wireBytes += Self.wireBytes(of: part)
    }

    /// Nothing more will come.
    mutating func finish() {
        if case .open = ending { ending = .finished }
    }

    /// The stream broke: what is queued is of no use any more.
    mutating func fail(_ error: RPCError) {
        guard case .open = ending else { return }
        ending = .failed(error)
        clear()
    }

    /// Drops everything, for a reader that has gone; with an error for one that has to learn that
    /// it did not get all, which an end would not tell.
    mutating func discard(_ error: RPCError? = nil) {
        switch ending {
        case .finished where isEmpty: break
        case .open, .finished: ending = error.map { .failed($0) } ?? .finished
        case .failed: break
        }
        clear()
    }

    private mutating func clear() {
        parts = []
        head = 0
        held = 0
        wireBytes = 0
    }

    mutating func next() -> Next {
        if head < parts.count {
            let part = parts[head]
            head += 1
            held -= Self.size(of: part)
            wireBytes -= Self.wireBytes(of: part)
            if head == parts.count {
                parts.removeAll(keepingCapacity: true)
                head = 0
            } else {
                // Lets go of the message that was taken.
                parts[head - 1] = .metadata([:])
            }
            // A reader that is always one behind never empties it.
            if head >= 32, head >= parts.count / 2 {
                parts.removeFirst(head)
                head = 0
            }
            return .part(part)
        }
        switch ending {
        case .open: return .wait
        case .finished: return .end
        case .failed(let error): return .failure(error)
        }
    }
}
