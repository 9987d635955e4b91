import CNghttp2

/// Why the server dropped a peer that went beyond a limit: for the log.
public enum PeerViolation: Error, Hashable, Sendable, CustomStringConvertible {
    /// No TLS and HTTP/2 within the time.
    case slowHandshake(Duration)
    /// The handshake did not get its turn within the time, because of others.
    case tooManyHandshakes(Duration)
    /// No RPC was let in for so long, twice.
    case neverProven(Duration)
    /// A request's headers began and did not end within the time.
    case slowHeaders(Duration)
    /// Bytes to send, and no room for them at the peer for the time.
    case stalled(Duration)
    /// Streams broken off, or frames that had to be answered with that, over the rate.
    case tooManyResets(RateLimit)
    /// Frames that carry nothing, over the rate.
    case tooManyControlFrames(RateLimit)
    /// KeyUpdate messages or attempts to renegotiate, over the rate.
    case tooManyHandshakeMessages(RateLimit)
    /// A header list many times over the limit, in bytes.
    case headerBomb(Int)
    /// Frames we owe the peer, which it does not read.
    case unreadAnswers(Int)
    /// HTTP/2 itself was broken, with the error of RFC 9113, section 7.
    case brokeProtocol(UInt32)
    /// It held more of the memory for messages than anyone else when that ran out.
    case buffersFull(Int)
    /// All places were taken, and this connection was the newest or did the least.
    case tooManyConnections(Int)
    case tooManyConnectionsOfPeer(Int)

    /// What HTTP/2 calls it; nil when the peer has been told already.
    var errorCode: UInt32? {
        switch self {
        // Not the peer's fault.
        case .tooManyConnections, .tooManyConnectionsOfPeer, .tooManyHandshakes:
            HTTP2ErrorCode.noError
        case .brokeProtocol: nil
        default: HTTP2ErrorCode.enhanceYourCalm
        }
    }

    public var description: String {
        switch self {
        case .slowHandshake(let time): "the handshake took longer than \(time)"
        case .tooManyHandshakes(let time):
            "the handshake waited for \(time): the handshakes of its address, or of all, need "
                + "more processor time than they may have"
        case .neverProven(let time): "no RPC was let in for \(time), nor for as long again"
        case .slowHeaders(let time): "the headers of a request took longer than \(time)"
        case .stalled(let time): "nothing that waits to be sent could be for \(time)"
        case .tooManyResets(let limit):
            "more than \(limit.burst) broken streams at once, or \(limit.perSecond) a second"
        case .tooManyControlFrames(let limit):
            "more than \(limit.burst) control frames at once, or \(limit.perSecond) a second"
        case .tooManyHandshakeMessages(let limit):
            "more than \(limit.burst) TLS handshake messages at once after the handshake, "
                + "or \(limit.perSecond) a second"
        case .headerBomb(let size): "the headers of a request unpack to more than \(size) bytes"
        case .unreadAnswers(let count): "more than \(count) frames wait for the peer to read them"
        case .brokeProtocol(let code):
            "the peer broke HTTP/2: \(String(cString: nghttp2_http2_strerror(code)))"
        case .buffersFull(let size):
            "all connections together hold more than \(size) bytes, and this one the most"
        case .tooManyConnections(let limit): "more than \(limit) connections"
        case .tooManyConnectionsOfPeer(let limit): "more than \(limit) connections from one peer"
        }
    }
}
