/// Counts what a peer's frames cost against what they bring. Pure: events go in, and the
/// violation comes out.
struct PeerConduct {
    /// How often a peer may do what is cheap for it and costs us.
    struct Limits: Hashable {
        var resets: RateLimit
        var controlFrames: RateLimit
    }

    /// A frame's header, as RFC 9113, section 4.1, has it.
    struct Frame: Hashable {
        var type: UInt8
        var flags: UInt8
        var length: Int

        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let windowUpdate: UInt8 = 8
        static let continuation: UInt8 = 9
        static let endsStream: UInt8 = 1
        static let isPadded: UInt8 = 8
    }

    /// Control frames that each of our DATA frames lets the peer send: a ping that measures the
    /// way, as grpc-go sends it, and its acknowledgement of ours.
    private static let earnedByData = 2
    /// The same for a stream that it opens: a PRIORITY, a WINDOW_UPDATE, and some to spare.
    private static let earnedByStream = 4
    /// Beside the HEADERS frame itself, which counts like any until it has opened one: on a stream
    /// that is closed it is ignored.
    private static let headersOfStream = 1
    /// Bytes of data that let the peer open its window once: gRPC's C core does so for each
    /// message it reads, and none is shorter.
    private static let bytesOfUpdate = 5
    /// WINDOW_UPDATE frames that may be due at a time, for a window full of messages; as many
    /// take some milliseconds.
    private static let mostUpdates = 100_000
    /// Padding of a DATA frame is at most this long, its length field included, so that only a
    /// longer frame is sure to carry something.
    private static let longestPadding = 256

    private var resets: TokenBucket
    private var controlFrames: TokenBucket
    /// WINDOW_UPDATE frames that the data sent have paid for.
    private var updates = 0

    init(_ limits: Limits, at now: ContinuousClock.Instant) {
        resets = TokenBucket(limits.resets, at: now)
        controlFrames = TokenBucket(limits.controlFrames, at: now)
    }

    /// A frame of the peer begins. CONTINUATION frames are bounded by nghttp2.
    mutating func received(
        _ frame: Frame, at now: ContinuousClock.Instant
    ) -> PeerViolation? {
        switch frame.type {
        case Frame.continuation: return nil
        case Frame.data where Self.isUseful(frame): return nil
        case Frame.windowUpdate where updates > 0:
            updates -= 1
            return nil
        case Frame.reset: return broke(at: now)
        default:
            // Whatever is not known counts too.
            return controlFrames.take(at: now) ? nil : .tooManyControlFrames(controlFrames.limit)
        }
    }

    /// The peer has opened a stream.
    mutating func opened() { controlFrames.earn(Self.headersOfStream + Self.earnedByStream) }

    private static func isUseful(_ frame: Frame) -> Bool {
        if frame.flags & Frame.endsStream != 0 { return true }
        return frame.flags & Frame.isPadded == 0 ? frame.length > 0 : frame.length > longestPadding
    }

    /// A stream was broken off by the peer, or had to be because of what it sent: with streams
    /// that never last the limit on those at a time bounds nothing (CVE-2023-44487, and
    /// CVE-2025-8671 for the second kind).
    mutating func broke(
        at now: ContinuousClock.Instant
    ) -> PeerViolation? {
        resets.take(at: now) ? nil : .tooManyResets(resets.limit)
    }

    /// We sent a DATA frame with so many bytes.
    mutating func sentData(_ length: Int) {
        controlFrames.earn(Self.earnedByData)
        // Each stream's window and the connection's.
        updates = min(Self.mostUpdates, updates + 2 + length / Self.bytesOfUpdate)
    }
}
