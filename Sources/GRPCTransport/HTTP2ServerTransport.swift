public import GRPCCore
public import SystemIO

/// gRPC's server transport over nghttp2 and OpenSSL.
///
/// Listens on sockets that are bound already, so that a program knows its addresses, and that
/// they are free, before it says it is ready.
public struct HTTP2ServerTransport: ServerTransport {
    public typealias Bytes = MessageBytes

    /// A socket and how connections to it are secured.
    public struct Endpoint: Sendable {
        public var listener: Listener
        /// nil for plaintext HTTP/2 with prior knowledge (h2c).
        public var tls: TLSConfiguration?

        public init(_ listener: Listener, tls: TLSConfiguration? = nil) {
            self.listener = listener
            self.tls = tls
        }
    }

    /// Limits and timings. With none of them reached a client notices nothing; whoever goes
    /// beyond is dropped, and the callback for errors is told why.
    public struct Configuration: Sendable {
        /// Connections at a time on each endpoint, so that a flood on one keeps nobody out of
        /// another. When they are used up, one that is still in its handshake or
        /// has no RPC makes room for a new one. A device has a handful of controllers; each
        /// connection takes some 100 KiB, so that this many fit into what a switch can spare.
        public var maximumConnections = 256
        /// Connections at a time on an endpoint from one address, which of IPv6 is a /64, or of
        /// one user on a unix socket: several clients may share an address, but none may take the
        /// places of all others.
        public var maximumConnectionsPerPeer = 64
        /// RPCs at a time on one connection: gRPC's usual number.
        public var maximumConcurrentStreams = 100
        /// Bytes that a client may send on a stream ahead of its handler.
        public var streamWindow = 1 << 20
        /// What that becomes on a long line, if the handler takes what comes: enough for a
        /// gigabit a second with a round trip of 130 ms.
        public var widestStreamWindow = 16 << 20
        /// The largest message, in bytes; gRPC's own default.
        public var maximumMessageSize = 4 << 20
        /// The largest header list, in bytes as HTTP/2 counts them: twice what gRPC's C core
        /// accepts by default.
        public var maximumHeaderListSize = 16 << 10
        /// Bytes of messages, those that came and those to be sent, that all connections hold
        /// together; beyond that the one that holds most is closed. Room for 16 of the largest
        /// messages, or 32 images being pushed as fast as their windows allow.
        public var maximumBufferedBytes = 64 << 20
        /// For TLS and the first bytes of HTTP/2: a slow link and a slow processor included.
        public var handshakeTimeout: Duration = .seconds(10)
        /// From the first byte of a request's headers to their last; they fit into a few
        /// packets.
        public var headerTimeout: Duration = .seconds(10)
        /// After which a connection without RPCs is closed, in good order; nil for never. More
        /// than the keepalive and polling intervals of usual clients.
        public var idleTimeout: Duration? = .seconds(600)
        /// After which a connection is closed, in good order, on which no RPC was let in with
        /// ``CallRecord/admit()`` yet; nil where nobody decides about that.
        public var unprovenTimeout: Duration?
        /// How long an RPC may wait for more of its request without a byte of it coming; nil for
        /// ever. It ends with DEADLINE_EXCEEDED, and what it held goes to others. A device whose
        /// link is gone for minutes should not have to begin an image anew.
        public var requestTimeout: Duration? = .seconds(300)
        /// How long something to be sent may wait without 16 KiB of it, or all that is left, going
        /// out; nil for no limit. A person who reads logs in a pager stops reading for minutes; what
        /// waits meanwhile is bounded.
        public var stallTimeout: Duration? = .seconds(300)
        /// Streams broken off by the peer, or because of it. A client that goes away cancels as
        /// many as it has at once; nobody cancels 50 calls a second for long.
        public var resets = RateLimit(burst: 200, perSecond: 50)
        /// SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA and unknown frames, beside those
        /// that go with streams and data: clients send a few a minute.
        public var controlFrames = RateLimit(burst: 500, perSecond: 100)
        /// Silence after which a client is asked whether it is there; nil for never.
        public var keepaliveTime: Duration? = .seconds(60)
        /// How long it may take to answer that.
        public var keepaliveTimeout: Duration = .seconds(20)
        /// How long RPCs may go on after ``beginGracefulShutdown()``.
        public var drainTimeout: Duration = .seconds(20)
        /// What ``requestTimeout``, whose RPCs end with UNAVAILABLE then, and ``stallTimeout`` come
        /// down to after ``beginGracefulShutdown()``: whoever says nothing, or reads nothing, does
        /// not keep others from the server that comes next.
        public var lastTimeout: Duration = .seconds(5)

        public init() {}
    }

    private let core: ServerCore
    private let onCallEnd: @Sendable @EventLoop (CallRecord) -> Void

    /// - Parameters:
    ///   - onConnectionError: told of each connection that ended badly or was refused, with the
    ///     peer's address: for the log, which has to be ready for a great many.
    ///   - onEvent: told of what there is to count.
    ///   - onCallEnd: told of each RPC when it is over.
    /// - Throws: `TLSError` when certificates or keys cannot be used.
    @EventLoop
    public init(
        _ endpoints: [Endpoint], configuration: Configuration = Configuration(),
        onConnectionError:
            @escaping @Sendable @EventLoop (_ peer: String, _ error: any Error) ->
            Void = { _, _ in },
        onEvent: @escaping @Sendable @EventLoop (ServerEvent) -> Void = { _ in },
        onCallEnd: @escaping @Sendable @EventLoop (CallRecord) -> Void = { _ in }
    ) throws(TLSError) {
        self.onCallEnd = onCallEnd
        core = try ServerCore(endpoints, configuration, onConnectionError, onEvent)
    }

    public func listen(
        streamHandler:
            @escaping @Sendable (
                _ stream: RPCStream<Inbound, Outbound>, _ context: ServerContext
            ) async -> Void
    ) async throws {
        let core = self.core
        let (calls, continuation) = AsyncStream.makeStream(of: ServerStream.self)
        try await core.start(continuation)
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { group in
                // Bounded by the streams that the connections admit.
                for await call in calls {
                    group.addTask(executorPreference: EventLoopExecutor.shared) {
                        await call.run(streamHandler)
                        call.record.close()
                        await onCallEnd(call.record)
                    }
                }
            }
        } onCancel: {
            EventLoop.enqueue { core.stop() }
        }
    }

    /// Takes certificates and keys anew from their files, for connections that are still to come;
    /// streams go on, and their clients connect anew for the next one. Handshakes that are under
    /// way are broken off, since they would end by the old rules.
    ///
    /// - Throws: `TLSError`; then everything stays as it was.
    @EventLoop
    public func reloadCertificates() throws(TLSError) {
        try core.reloadCertificates()
    }

    public func beginGracefulShutdown() {
        let core = self.core
        EventLoop.enqueue { core.drain() }
    }
}
