import FuzzSupport
import RuntimeAPI

@testable import ContainerEngine

/// What a container wrote does not depend on how its frames are cut into pieces; who goes on from
/// a position gets the rest.
@main struct LogDemultiplexerTarget: FuzzTarget {
    private struct Outcome: Equatable {
        var output: [UInt8] = []
        var failed = false
        var position = LogDemultiplexer.Position()
    }

    static func run(_ input: inout FuzzInput) {
        let cuts = input.cuts()
        let format: LogDemultiplexer.Format = input.choice(.frames, .timedFrames, .raw)
        let end = Int(input.byte()) << 8 | Int(input.byte())
        let bytes = input.bytes
        let whole = demultiplex([bytes], format)
        requireEqual(demultiplex(cuts.pieces(of: bytes), format), whole)
        require(whole.output.count <= bytes.count, "more comes out than went in")
        if format != .timedFrames {
            requireEqual(whole.position.bytes, Int64(whole.output.count))
        }
        let first = demultiplex([Array(bytes.prefix(end % (bytes.count + 1)))], format)
        guard format != .timedFrames, !whole.failed, !first.failed else { return }
        let second = demultiplex(cuts.pieces(of: bytes), format, from: first.position)
        requireEqual(first.output + second.output, whole.output)
        requireEqual(second.position, whole.position)
    }

    private static func demultiplex(
        _ pieces: [[UInt8]], _ format: LogDemultiplexer.Format,
        from position: LogDemultiplexer.Position = .init()
    ) -> Outcome {
        var demultiplexer = LogDemultiplexer(format, from: position)
        var outcome = Outcome()
        do {
            for piece in pieces { try demultiplexer.feed(piece, into: &outcome.output) }
        } catch {
            outcome.failed = true
        }
        outcome.position = demultiplexer.position
        return outcome
    }
}
