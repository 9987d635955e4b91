import SystemIO

/// The timers of a connection.
@EventLoop
struct HTTP2Timers {
    /// Until TLS and HTTP/2 are up.
    var handshake: EventLoop.Timer?
    /// Until a silent peer is asked for a sign of life, and then until it has to answer.
    var keepalive: EventLoop.Timer?
    /// Until the peer has to have seen the notice of a shutdown.
    var notice: EventLoop.Timer?
    /// Reads on when others have had their turn.
    var readAgain: EventLoop.Timer?
    /// Until a header list that came in part has to be complete.
    var header: EventLoop.Timer?
    /// Until the next look for what does not get out.
    var stall: EventLoop.Timer?

    func cancelAll() {
        for timer in [handshake, keepalive, notice, readAgain, header, stall] { timer?.cancel() }
    }
}
