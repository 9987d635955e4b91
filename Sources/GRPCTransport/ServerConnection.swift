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
    private var idleTimer: EventLoop.Timer?
    private let timeouts: Timeouts
    /// Since when it is up.
    private var readySince = ContinuousClock.now
    /// Whether an RPC was let in, or nobody decides about that.
    private var isProven: Bool
    private(set) var phase = ConnectionAdmission.Phase.handshaking
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
        isProven = timeouts.unproven == nil
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

    /// Bytes of messages that it holds.
    var held: Int { connection?.held ?? 0 }

    func drain() { connection?.drain() }
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
        restartIdleTimer()
    }

    func headReceived(_ stream: HTTP2Stream, endsStream: Bool, on connection: HTTP2Connection) {
        do throws(RequestHead.Rejection) {
            let head = try RequestHead.parse(stream.headers)
            stream.headers = HeaderList()
            stream.receive(.metadata(head.metadata))
            // A deadline of nothing or a reset frees the stream, but not what the handler has
            // begun, which may take its time to notice.
            guard handlers < maximumHandlers else {
                let message = "the handlers of earlier RPCs are still busy"
                return connection.reset(
                    stream, errorCode: HTTP2ErrorCode.refusedStream,
                    RPCError(code: .unavailable, message: message))
            }
            let call = ServerStream(
                stream, head: head, peer: identity, on: connection,
                requestTimeout: timeouts.request)
            handlers += 1
            call.onEnd = { [weak self] in self?.handlers -= 1 }
            calls[stream.identifier] = call
            phase = .busy
            idleTimer?.cancel()
            let identifier = stream.identifier
            stream.onClose = { [weak self] in self?.streamClosed(identifier) }
            accept(call)
        } catch {
            reject(stream, error, on: connection)
        }
    }

    private func streamClosed(_ identifier: Int32) {
        if calls.removeValue(forKey: identifier)?.record.wasAdmitted == true { isProven = true }
        if calls.isEmpty { restartIdleTimer() }
    }

    private func restartIdleTimer() {
        let now = ContinuousClock.now
        phase = isProven ? .idle(since: now) : .unproven(since: readySince)
        // RPCs that are refused gain no time.
        let login = isProven ? nil : timeouts.unproven.map { max($0 - (now - readySince), .zero) }
        idleTimer?.cancel()
        guard let time = [timeouts.idle, login].compactMap(\.self).min() else { return }
        idleTimer = EventLoop.Timer(after: time) { [weak self] in self?.drain() }
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
        calls = [:]
        self.connection = nil
        onClose(self, error)
    }
}
