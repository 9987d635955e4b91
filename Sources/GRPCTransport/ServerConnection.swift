import GRPCCore
import SystemIO

/// A client's connection, as the server sees it.
@EventLoop
final class ServerConnection: HTTP2ConnectionDelegate {
    /// Whom it is counted for.
    let peer: String
    /// Which of the server's endpoints it came to.
    let endpoint: Int
    /// Counts up with each connection.
    let number: UInt64
    private let accept: @EventLoop (ServerStream) -> Void
    private let onClose: @EventLoop (ServerConnection, (any Error)?) -> Void
    private var connection: HTTP2Connection?
    private var identity = PeerIdentity(isSecure: false)
    private var calls: [Int32: ServerStream] = [:]
    /// Of these, those that came with the bytes just being read. Their handlers begin after that,
    /// and not at all where the same bytes break the stream off: to open one and to reset it costs a
    /// peer next to nothing (CVE-2023-44487).
    private var newcomers: [(call: ServerStream, stream: HTTP2Stream)] = []
    private var idleTimer: EventLoop.Timer?
    /// Until an RPC has to have been let in.
    private var loginTimer: EventLoop.Timer?
    private let timeouts: Timeouts
    /// See ``HTTP2ServerTransport/Configuration/lastTimeout``; nil until the server is to stop.
    private var lastTimeout: Duration?
    /// Since when it is up.
    private var readySince = ContinuousClock.now
    private var isReady = false
    /// Since when there is no RPC, while there is none.
    private var idleSince = ContinuousClock.now
    /// Whether an RPC that has ended was let in, or nobody decides about that.
    private var wasProven: Bool
    /// Handlers that have not returned, those of streams that are gone included.
    private var handlers = 0
    private let maximumHandlers: Int

    /// See ``HTTP2ServerTransport/Configuration``.
    struct Timeouts {
        var idle: Duration?
        var unproven: Duration?
        var request: Duration?
    }

    init(
        peer: String, endpoint: Int, number: UInt64, timeouts: Timeouts, maximumHandlers: Int,
        accept: @escaping @EventLoop (ServerStream) -> Void,
        onClose: @escaping @EventLoop (ServerConnection, (any Error)?) -> Void
    ) {
        self.peer = peer
        self.number = number
        self.endpoint = endpoint
        self.timeouts = timeouts
        wasProven = timeouts.unproven == nil
        self.maximumHandlers = maximumHandlers
        self.accept = accept
        self.onClose = onClose
    }

    func start(_ channel: Channel, configuration: HTTP2ConnectionConfiguration) {
        let connection = HTTP2Connection(
            channel, isServer: true, configuration: configuration, delegate: self)
        self.connection = connection
        connection.start()
    }

    /// What it is doing. RPCs that nobody has let in, or may never, do not count.
    var phase: ConnectionAdmission.Phase {
        if !isReady { return .handshaking }
        if !isProven { return .unproven(since: readySince) }
        return calls.isEmpty ? .idle(since: idleSince) : .busy
    }

    private var isProven: Bool { wasProven || calls.values.contains { $0.record.wasAdmitted } }

    /// Bytes of messages that it holds.
    var held: Int { connection?.held ?? 0 }

    func drain() { connection?.drain() }

    /// Likewise, since the server stops: it waits only so long for more of a request, or for what does
    /// not get out.
    func stop(after timeout: Duration) {
        drain()
        lastTimeout = timeout
        connection?.hurry(timeout)
        for call in calls.values { call.hurry(timeout) }
    }

    /// Closes it without a complaint.
    func drop() { connection?.close(nil) }
    func close(_ error: any Error) { connection?.close(error) }

    // MARK: HTTP2ConnectionDelegate

    func connectionReady(_ connection: HTTP2Connection) {
        identity = PeerIdentity(
            isSecure: connection.channel.isSecure,
            certificate: connection.channel.peerCertificate,
            credentials: connection.channel.peerCredentials)
        readySince = .now
        isReady = true
        awaitLogin()
        restartIdleTimer()
    }

    func headReceived(_ stream: HTTP2Stream, endsStream: Bool, on connection: HTTP2Connection) {
        do throws(RequestHead.Rejection) {
            let head = try RequestHead.parse(stream.headers)
            stream.headers = HeaderList()
            stream.receive(.metadata(head.metadata))
            // A deadline of nothing or a reset frees the stream, but not what the handler has
            // begun, which may take its time to notice.
            guard handlers + newcomers.count < maximumHandlers else {
                let message = "the handlers of earlier RPCs are still busy"
                return connection.reset(
                    stream, errorCode: HTTP2ErrorCode.refusedStream,
                    RPCError(code: .unavailable, message: message))
            }
            let call = ServerStream(
                stream, head: head, peer: identity, on: connection,
                requestTimeout: timeouts.request)
            if let lastTimeout { call.hurry(lastTimeout) }
            calls[stream.identifier] = call
            idleTimer?.cancel()
            let identifier = stream.identifier
            stream.onClose = { [weak self] in self?.streamClosed(identifier) }
            newcomers.append((call, stream))
        } catch {
            reject(stream, error, on: connection)
        }
    }

    func inputProcessed(on connection: HTTP2Connection) {
        guard !newcomers.isEmpty else { return }
        for (call, stream) in newcomers where !stream.isClosed {
            handlers += 1
            call.onEnd = { [weak self] in self?.handlers -= 1 }
            accept(call)
        }
        newcomers.removeAll(keepingCapacity: true)
    }

    private func streamClosed(_ identifier: Int32) {
        let call = calls.removeValue(forKey: identifier)
        call?.streamClosed()
        if call?.record.wasAdmitted == true { wasProven = true }
        if calls.isEmpty { restartIdleTimer() }
    }

    private func restartIdleTimer() {
        idleSince = .now
        idleTimer?.cancel()
        idleTimer = timeouts.idle.map {
            EventLoop.Timer(after: $0) { [weak self] in self?.drain() }
        }
    }

    /// RPCs that are refused gain no time. One just being looked at may go on, for as long again:
    /// the peer could keep it from ever ending by not reading.
    private func awaitLogin() {
        guard let time = timeouts.unproven else { return }
        loginTimer = EventLoop.Timer(after: time) { [weak self] in
            guard let self, !isProven else { return }
            drain()
            loginTimer = EventLoop.Timer(after: time) { [weak self] in
                guard let self, !isProven else { return }
                close(PeerViolation.neverProven(time))
            }
        }
    }

    private func reject(
        _ stream: HTTP2Stream, _ rejection: RequestHead.Rejection, on connection: HTTP2Connection
    ) {
        var headers: HeaderList
        switch rejection {
        case .http(let status, let reason):
            headers = HeaderList([":status": String(status)])
            StatusHeaders.append(Status(code: .unknown, message: reason), to: &headers)
        case .grpc(let status, let acceptEncoding):
            headers = ServerStream.responseHead()
            if acceptEncoding { headers.append("grpc-accept-encoding", "identity") }
            StatusHeaders.append(status, to: &headers)
        }
        connection.respond(stream, headers, endsStream: true)
        stream.discardInbound()
    }

    func trailersReceived(_ stream: HTTP2Stream, on connection: HTTP2Connection) {
        // A request has no trailers that mean anything; its end is reported apart.
    }

    func peerEnded(_ stream: HTTP2Stream, on connection: HTTP2Connection) {
        do {
            try stream.receiveEnd()
        } catch {
            streamViolated(stream, error, on: connection)
        }
    }

    func streamViolated(
        _ stream: HTTP2Stream, _ error: RPCError, on connection: HTTP2Connection
    ) {
        let status = Status(code: Status.Code(error.code), message: error.message)
        if let call = calls[stream.identifier] {
            call.fail(status)
        } else {
            reject(stream, .grpc(status, acceptEncoding: false), on: connection)
        }
    }

    func connectionDraining(_ connection: HTTP2Connection) {}

    func connectionClosed(_ connection: HTTP2Connection, _ error: (any Error)?) {
        idleTimer?.cancel()
        loginTimer?.cancel()
        calls = [:]
        newcomers = []
        self.connection = nil
        onClose(self, error)
    }
}
