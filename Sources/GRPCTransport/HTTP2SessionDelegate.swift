import SystemIO

/// What an HTTP/2 session tells its connection; called while bytes are fed in or drawn out, so
/// nothing here may do either.
@EventLoop
protocol HTTP2SessionDelegate: AnyObject {
    var session: HTTP2Session { get }
    /// A frame of the peer begins.
    /// - Returns: whether to go on; otherwise the connection is over.
    func frameBegan(_ frame: PeerConduct.Frame) -> Bool
    /// A frame was invalid, and the stream is being reset for it, or the connection ended.
    /// - Returns: as above.
    func invalidFrameReceived(stream: Int32) -> Bool
    /// A header list began; `isFirst` unless it is a trailer.
    func headersBegan(stream: Int32, isFirst: Bool)
    /// A field of it; the bytes are valid during the call.
    func headerReceived(
        stream: Int32, name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>
    ) -> HeaderVerdict
    func headersEnded(stream: Int32, endsStream: Bool)
    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer)
    /// The peer has said all it will on the stream, with a DATA frame.
    func dataEnded(stream: Int32)
    func streamClosed(stream: Int32, errorCode: UInt32)
    func dataSent(_ length: Int)
    /// A header list could not be sent, for instance because it is too long.
    func headersNotSent(stream: Int32)
    /// We, or nghttp2 by itself, told the peer that the connection is over.
    func goAwaySent(errorCode: UInt32)
    /// Our last frame on the stream has been written.
    func streamEndSent(stream: Int32)
    func goAwayReceived()
    func pingAcknowledged(_ purpose: PingPurpose)
    /// The peer has seen our settings.
    func settingsAcknowledged()
    /// The peer's settings, the first thing it says, have come, or new ones.
    func settingsReceived()
    func nextData(stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> OutboundData
}

/// Why a peer is asked for a sign of life.
enum PingPurpose: UInt8 {
    case sign
    /// To find out when it has seen the notice of a shutdown.
    case notice
    /// To find out how long a round trip takes.
    case measurement
}

/// What becomes of a header list after one of its fields.
enum HeaderVerdict {
    case proceed
    case resetStream
    case endConnection
}

/// What a stream has to send next.
enum OutboundData {
    /// Bytes were written; more may follow.
    case bytes(Int)
    /// Nothing now; the stream is resumed later.
    case none
    /// Bytes were written, perhaps none, and they are the last; trailers follow when there are
    /// any.
    case last(Int, trailers: HeaderList?)
}
