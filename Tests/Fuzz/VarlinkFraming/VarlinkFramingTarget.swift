import FuzzSupport
import Glibc

@testable import Varlink

/// Messages are what lies between NULs, however the bytes are cut into pieces and however late
/// they are asked for.
@main struct VarlinkFramingTarget: FuzzTarget {
    private struct Outcome: Equatable {
        var messages: [[UInt8]] = []
        var violation: ProtocolViolation?
        var waiting = 0
    }

    static func run(_ input: inout FuzzInput) {
        let cuts = input.cuts()
        let limit = input.choice(32, 0, 1, 6000)
        // The buffer has its room in pages; a short input becomes a long one.
        let copies = input.choice(1, 2, 50, 300)
        let asksAtTheEnd = input.choice(false, true)
        let bytes = Array(repeatElement(input.bytes, count: copies).joined())
        let outcome = cut(cuts.pieces(of: bytes), limit, asksAtTheEnd)
        let expected = Self.expected(bytes, limit)
        // How much waits behind a message that is too long is nobody's business.
        requireEqual(outcome.messages, expected.messages)
        requireEqual(outcome.violation, expected.violation)
        if outcome.violation == nil { requireEqual(outcome.waiting, expected.waiting) }
    }

    private static func cut(_ pieces: [[UInt8]], _ limit: Int, _ asksAtTheEnd: Bool) -> Outcome {
        var buffer = MessageBuffer(limit: limit)
        var outcome = Outcome()
        for piece in pieces {
            var rest = piece[...]
            while !rest.isEmpty {
                buffer.fill { room in
                    require(!room.isEmpty, "there is no room")
                    let part = rest.prefix(room.count)
                    room.copyBytes(from: part)
                    rest = rest.dropFirst(part.count)
                    return (part.count, nil)
                }
                if !asksAtTheEnd { ask(&buffer, &outcome) }
                if outcome.violation != nil { return outcome }
            }
        }
        ask(&buffer, &outcome)
        outcome.waiting = buffer.count
        return outcome
    }

    private static func ask(_ buffer: inout MessageBuffer, _ outcome: inout Outcome) {
        do {
            while let message = try buffer.next() { outcome.messages.append(Array(message.bytes)) }
        } catch {
            outcome.violation = error
        }
    }

    private static func expected(_ bytes: [UInt8], _ limit: Int) -> Outcome {
        var outcome = Outcome()
        let messages = bytes.split(separator: 0, omittingEmptySubsequences: false)
        for message in messages {
            guard message.count <= limit else {
                outcome.violation = .messageTooLong
                return outcome
            }
            outcome.messages.append(Array(message))
        }
        // The last has no NUL yet.
        outcome.waiting = outcome.messages.popLast()?.count ?? 0
        return outcome
    }
}
