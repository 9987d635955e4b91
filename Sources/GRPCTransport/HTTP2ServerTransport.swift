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

    /// Limits and timings.
    public struct Configuration: Sendable {
        /// Connections at a time; further ones are closed as they come.
        public var maximumConnections = 256
        /// RPCs at a time on one connection.
        public var maximumConcurrentStreams = 100
        /// Bytes that a client may send on a stream ahead of its handler.
        public var streamWindow = 1 << 20
        /// The largest message, in bytes; gRPC's own default.
        public var maximumMessageSize = 4 << 20
        /// The largest header list, in bytes as HTTP/2 counts them.
        public var maximumHeaderListSize = 16 << 10
        /// For TLS and the first bytes of HTTP/2.
        public var handshakeTimeout: Duration = .seconds(10)
        /// After which a connection without RPCs is closed; nil for never.
        public var idleTimeout: Duration? = .seconds(600)
        /// Silence after which a client is asked whether it is there; nil for never.
        public var keepaliveTime: Duration? = .seconds(60)
        /// How long it may take to answer that.
        public var keepaliveTimeout: Duration = .seconds(20)
        /// How long RPCs may go on after ``beginGracefulShutdown()``.
        public var drainTimeout: Duration = .seconds(20)

        public init() {}
    }

    private let core: ServerCore
    private let onCallEnd: @Sendable (CallRecord) -> Void

    /// - Parameters:
    ///   - onConnectionError: told of each connection that ended badly, with the peer's address:
    ///     for the log.
    ///   - onCallEnd: told of each RPC when it is over.
    /// - Throws: `TLSError` when certificates or keys cannot be used.
    @EventLoop
    public init(
        _ endpoints: [Endpoint], configuration: Configuration = Configuration(),
        onConnectionError: @escaping @Sendable (_ peer: String, _ error: any Error) -> Void = {
            _, _ in
        },
        onCallEnd: @escaping @Sendable (CallRecord) -> Void = { _ in }
    ) throws(TLSError) {
        self.onCallEnd = onCallEnd
        core = try ServerCore(endpoints, configuration, onConnectionError)
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
                        onCallEnd(call.record)
                    }
                }
            }
        } onCancel: {
            EventLoop.enqueue { core.stop() }
        }
    }

    /// Takes certificates and keys anew from their files, for connections that are still to come;
    /// those that there are go on.
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

/// The listening sockets and the connections of a server.
@EventLoop
private final class ServerCore {
    private enum State {
        case idle
        case listening(AsyncStream<ServerStream>.Continuation)
        case draining(AsyncStream<ServerStream>.Continuation)
        case stopped
    }

    private let endpoints: [HTTP2ServerTransport.Endpoint]
    /// Of the endpoints, in their order.
    private var contexts: [TLSContext?]
    private let configuration: HTTP2ServerTransport.Configuration
    private let onConnectionError: @Sendable (String, any Error) -> Void
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    private var state = State.idle
    private var drainTimer: EventLoop.Timer?

    init(
        _ endpoints: [HTTP2ServerTransport.Endpoint],
        _ configuration: HTTP2ServerTransport.Configuration,
        _ onConnectionError: @escaping @Sendable (String, any Error) -> Void
    ) throws(TLSError) {
        self.endpoints = endpoints
        contexts = try Self.contexts(of: endpoints)
        self.configuration = configuration
        self.onConnectionError = onConnectionError
    }

    private static func contexts(
        of endpoints: [HTTP2ServerTransport.Endpoint]
    ) throws(TLSError) -> [TLSContext?] {
        // Not map, whose errors have no type.
        var contexts: [TLSContext?] = []
        for endpoint in endpoints {
            if let tls = endpoint.tls {
                contexts.append(try TLSContext.server(tls))
            } else {
                contexts.append(nil)
            }
        }
        return contexts
    }

    func reloadCertificates() throws(TLSError) {
        contexts = try Self.contexts(of: endpoints)
    }

    func start(_ calls: AsyncStream<ServerStream>.Continuation) throws {
        guard case .idle = state else {
            // Told to stop before it began.
            calls.finish()
            return
        }
        state = .listening(calls)
        for (index, endpoint) in endpoints.enumerated() {
            try endpoint.listener.start { [weak self] socket in
                self?.accept(socket, endpoint: index)
            }
        }
    }

    private func accept(_ socket: consuming StreamSocket, endpoint: Int) {
        guard case .listening(let calls) = state,
            connections.count < configuration.maximumConnections
        else { return }
        let channel: Channel
        do throws(TLSError) {
            if let context = contexts[endpoint] {
                channel = try Channel(socket, context: context, serverName: nil)
            } else {
                channel = Channel(socket)
            }
        } catch {
            onConnectionError("unknown", error)
            return
        }
        let peer = channel.remotePeer
        let connection = ServerConnection(
            idleTimeout: configuration.idleTimeout,
            accept: { calls.yield($0) },
            onClose: { [weak self] connection, error in
                self?.closed(connection, peer: peer, error)
            })
        connections[ObjectIdentifier(connection)] = connection
        connection.start(
            channel,
            configuration: HTTP2ConnectionConfiguration(
                limits: HTTP2Limits(
                    maximumConcurrentStreams: configuration.maximumConcurrentStreams,
                    streamWindow: configuration.streamWindow,
                    maximumHeaderListSize: configuration.maximumHeaderListSize,
                    maximumFrameSize: 64 << 10),
                messageLimit: configuration.maximumMessageSize,
                handshakeTimeout: configuration.handshakeTimeout,
                keepaliveTime: configuration.keepaliveTime,
                keepaliveTimeout: configuration.keepaliveTimeout))
    }

    private func closed(_ connection: ServerConnection, peer: String, _ error: (any Error)?) {
        connections[ObjectIdentifier(connection)] = nil
        if let error { onConnectionError(peer, error) }
        if case .draining = state, connections.isEmpty { finish() }
    }

    func drain() {
        switch state {
        case .idle: state = .stopped
        case .listening(let calls):
            state = .draining(calls)
            for endpoint in endpoints { endpoint.listener.close() }
            for connection in connections.values { connection.drain() }
            if connections.isEmpty { return finish() }
            drainTimer = EventLoop.Timer(after: configuration.drainTimeout) { [weak self] in
                self?.stop()
            }
        case .draining, .stopped: break
        }
    }

    /// Ends everything now.
    func stop() {
        for endpoint in endpoints { endpoint.listener.close() }
        let error = RPCError(code: .unavailable, message: "the server is stopping")
        for connection in connections.values { connection.close(error) }
        finish()
    }

    private func finish() {
        drainTimer?.cancel()
        switch state {
        case .listening(let calls), .draining(let calls): calls.finish()
        case .idle, .stopped: break
        }
        state = .stopped
    }
}
