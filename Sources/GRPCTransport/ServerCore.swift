import GRPCCore
import SystemIO

/// The listening sockets and the connections of a server.
@EventLoop
final class ServerCore {
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
    private let onConnectionError: @Sendable @EventLoop (String, any Error) -> Void
    private let onEvent: @Sendable @EventLoop (ServerEvent) -> Void
    private let admission: ConnectionAdmission
    private let budget: BufferBudget
    private let handshakes = HandshakeScheduler(.init())
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    /// Connections accepted so far.
    private var count: UInt64 = 0
    private var state = State.idle
    private var drainTimer: EventLoop.Timer?

    init(
        _ endpoints: [HTTP2ServerTransport.Endpoint],
        _ configuration: HTTP2ServerTransport.Configuration,
        _ onConnectionError: @escaping @Sendable @EventLoop (String, any Error) -> Void,
        _ onEvent: @escaping @Sendable @EventLoop (ServerEvent) -> Void
    ) throws(TLSError) {
        self.endpoints = endpoints
        contexts = try Self.contexts(of: endpoints)
        self.configuration = configuration
        self.onConnectionError = onConnectionError
        self.onEvent = onEvent
        admission = ConnectionAdmission(
            maximum: configuration.maximumConnections,
            maximumPerPeer: configuration.maximumConnectionsPerPeer)
        budget = BufferBudget(limit: configuration.maximumBufferedBytes)
        budget.onExcess = { [weak self] in self?.freeBuffers() }
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
        // Their streams go on to the end; for the next one the peer has to show its certificate
        // to the new rules, which may have revoked it.
        for connection in connections.values where contexts[connection.endpoint] != nil {
            if connection.phase == .handshaking {
                connection.drop()
            } else {
                connection.drain()
            }
        }
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
        guard case .listening(let calls) = state else { return }
        let address = socket.peerName()
        let peer = PeerAddress.network(of: address, try? socket.peerCredentials())
        guard makeRoom(for: peer, address, endpoint: endpoint) else { return }
        let channel: Channel
        do throws(TLSError) {
            if let context = contexts[endpoint] {
                channel = try Channel(socket, context: context, serverName: nil)
            } else {
                channel = Channel(socket)
            }
        } catch {
            onEvent(.connectionRefused)
            onConnectionError(address, error)
            return
        }
        count += 1
        let connection = ServerConnection(
            peer: peer, endpoint: endpoint, number: count,
            timeouts: ServerConnection.Timeouts(
                idle: configuration.idleTimeout, unproven: configuration.unprovenTimeout,
                request: configuration.requestTimeout),
            maximumHandlers: configuration.maximumConcurrentStreams * Self.handlersPerStream,
            accept: { [onEvent] call in
                if case .enqueued = calls.yield(call) { onEvent(.callBegan) }
            },
            onClose: { [weak self] connection, error in
                self?.closed(connection, address, error)
            })
        connections[ObjectIdentifier(connection)] = connection
        onEvent(.connectionOpened)
        connection.start(
            channel,
            configuration: HTTP2ConnectionConfiguration(
                limits: HTTP2Limits(
                    maximumConcurrentStreams: configuration.maximumConcurrentStreams,
                    streamWindow: configuration.streamWindow,
                    widestStreamWindow: configuration.widestStreamWindow,
                    maximumHeaderListSize: configuration.maximumHeaderListSize,
                    conduct: PeerConduct.Limits(
                        resets: configuration.resets, controlFrames: configuration.controlFrames)),
                messageLimit: configuration.maximumMessageSize,
                handshakeTimeout: configuration.handshakeTimeout,
                handshakes: contexts[endpoint] == nil ? nil : (handshakes, peer),
                headerTimeout: configuration.headerTimeout,
                stallTimeout: configuration.stallTimeout, budget: budget,
                keepaliveTime: configuration.keepaliveTime,
                keepaliveTimeout: configuration.keepaliveTimeout))
    }

    /// Handlers that may run on a connection for each stream it may have: more than one, since a
    /// stream is over a moment before its handler is, and its client may open the next one.
    private static let handlersPerStream = 2

    /// - Returns: whether there is a place now for one more connection of the peer.
    private func makeRoom(for peer: String, _ address: String, endpoint: Int) -> Bool {
        // As long as there is room for all, there is nothing to look through.
        if connections.count < min(admission.maximum, admission.maximumPerPeer) { return true }
        let entries = connections.values.lazy.filter { $0.endpoint == endpoint }.map {
            ConnectionAdmission.Entry(id: $0, peer: $0.peer, number: $0.number, phase: $0.phase)
        }
        switch admission.admit(peer: peer, beside: entries) {
        case .admit: return true
        case .evict(let connection, let reason):
            connection.close(reason)
            return true
        case .refuse(let reason):
            onEvent(.connectionRefused)
            onConnectionError(address, reason)
            return false
        }
    }

    private func freeBuffers() {
        while budget.isExceeded {
            guard let largest = connections.values.max(by: { $0.held < $1.held }),
                largest.held > 0
            else { return }
            let before = budget.held
            largest.close(PeerViolation.buffersFull(budget.limit))
            // Whatever holds it then, closing others does not help.
            guard budget.held < before else { return }
        }
    }

    private func closed(_ connection: ServerConnection, _ address: String, _ error: (any Error)?) {
        connections[ObjectIdentifier(connection)] = nil
        onEvent(.connectionClosed(inGoodOrder: error == nil))
        if let error { onConnectionError(address, error) }
        if case .draining = state, connections.isEmpty { finish() }
    }

    func drain() {
        switch state {
        case .idle: state = .stopped
        case .listening(let calls):
            state = .draining(calls)
            for endpoint in endpoints { endpoint.listener.close() }
            for connection in connections.values {
                connection.stop(after: configuration.lastTimeout)
            }
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
