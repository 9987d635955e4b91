import FuzzSupport
import GRPCCore

@testable import GRPCTransport

/// The messages do not depend on how the bytes are cut into pieces, are within the limit, and
/// make up the bytes again.
@main struct MessageDeframerTarget: FuzzTarget {
    private struct Outcome: Equatable {
        var messages: [[UInt8]] = []
        var failure: String?
        var isInsideMessage = false
    }

    static func run(_ input: inout FuzzInput) {
        let cuts = input.cuts()
        let limit = input.choice(16, 0, 255, 4 << 20)
        let bytes = input.bytes
        let whole = deframe([bytes], limit)
        requireEqual(whole, deframe(cuts.pieces(of: bytes), limit))
        require(whole.messages.allSatisfy { $0.count <= limit }, "a message over the limit")
        var framed: [UInt8] = []
        for message in whole.messages { framed += [0] + bigEndian(message.count) + message }
        require(bytes.starts(with: framed), "the messages are not what was sent")
        if whole.failure == nil {
            requireEqual(whole.isInsideMessage, framed.count < bytes.count)
        }
    }

    private static func deframe(_ pieces: [[UInt8]], _ limit: Int) -> Outcome {
        var deframer = MessageDeframer(limit: limit)
        var outcome = Outcome()
        for piece in pieces {
            do {
                try piece.withUnsafeBytes { bytes in
                    try deframer.append(bytes) { message in
                        outcome.messages.append(message.withUnsafeBytes { Array($0) })
                    }
                }
            } catch {
                require(outcome.failure == nil, "it failed twice")
                outcome.failure = "\(error)"
            }
        }
        outcome.isInsideMessage = deframer.isInsideMessage
        return outcome
    }

    private static func bigEndian(_ count: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
    }
}
