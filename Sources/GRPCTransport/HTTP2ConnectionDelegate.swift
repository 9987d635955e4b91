import GRPCCore
import SystemIO

/// What one side of RPC does with the events of its connection.
@EventLoop
protocol HTTP2ConnectionDelegate: AnyObject {
    /// A stream's first header list is complete; on a server that opens the RPC.
    func headReceived(_ stream: HTTP2Stream, endsStream: Bool, on connection: HTTP2Connection)
    /// A later header list is complete, which ends the peer's side.
    func trailersReceived(_ stream: HTTP2Stream, on connection: HTTP2Connection)
    /// The peer has ended its side with a DATA frame, or as it sent its head.
    func peerEnded(_ stream: HTTP2Stream, on connection: HTTP2Connection)
    /// A message's bytes broke the rules of gRPC; the stream is to be ended with that status.
    func streamViolated(_ stream: HTTP2Stream, _ error: RPCError, on connection: HTTP2Connection)
    /// The bytes that were there to read, or as many as make a turn, have been gone through.
    func inputProcessed(on connection: HTTP2Connection)
    /// TLS and HTTP/2 are up: the peer's settings have come, so that it has accepted us, which a
    /// completed handshake alone does not say in TLS 1.3.
    func connectionReady(_ connection: HTTP2Connection)
    /// The peer takes no further streams.
    func connectionDraining(_ connection: HTTP2Connection)
    /// The connection is over: nil when it ended in good order.
    func connectionClosed(_ connection: HTTP2Connection, _ error: (any Error)?)
}
