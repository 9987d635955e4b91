import GRPCCore
import SystemIO

/// The server's end of one RPC.
@EventLoop
final class ServerStream {
    let head: RequestHead
    let record: CallRecord
    private let stream: HTTP2Stream
    private let connection: HTTP2Connection
    private var deadline: EventLoop.Timer?
    /// How long nothing of the request may come while the handler waits for it; nil for ever.
    private var requestTimeout: Duration?
    private var isServerStopping = false
    private var silenceTimer: EventLoop.Timer?
    private var cancellation: ServerContext.RPCCancellationHandle?
    private var isBroken = false
    /// Called once when the handler has returned.
    var onEnd: (@EventLoop () -> Void)?

    init(
        _ stream: HTTP2Stream, head: RequestHead, peer: PeerIdentity,
        on connection: HTTP2Connection, requestTimeout: Duration?
    ) {
        self.requestTimeout = requestTimeout
        self.stream = stream
        self.head = head
        record = CallRecord(
            head.method, peer, remotePeer: connection.channel.remotePeer,
            localPeer: connection.channel.localPeer)
        self.connection = connection
        stream.onBreak = { [weak self] in self?.cancel() }
        if let timeout = head.timeout {
            deadline = EventLoop.Timer(after: timeout) { [weak self] in self?.expire() }
        }
        if let requestTimeout { lookForSilence(after: requestTimeout) }
    }

    /// Runs the RPC to its end.
    nonisolated func run(
        _ handler:
            @Sendable (
                _ stream: RPCStream<
                    RPCAsyncSequence<RPCRequestPart<MessageBytes>, any Error>,
                    RPCWriter<RPCResponsePart<MessageBytes>>.Closable
                >, _ context: ServerContext
            ) async -> Void
    ) async {
        await withServerContextRPCCancellationHandle { cancellation in
            await begin(cancellation)
            var context = ServerContext(
                descriptor: head.method, remotePeer: record.remotePeer,
                localPeer: record.localPeer, cancellation: cancellation)
            context.transportSpecific = record
            await handler(
                RPCStream(
                    descriptor: head.method,
                    inbound: RPCAsyncSequence(wrapping: Inbound(stream: stream, record: record)),
                    outbound: RPCWriter.Closable(wrapping: Outbound(stream: self))), context)
            await end()
        }
    }

    private func begin(_ cancellation: ServerContext.RPCCancellationHandle) {
        self.cancellation = cancellation
        if isBroken { cancellation.cancel() }
    }

    private func end() {
        // The deadline stays: DATA may still wait for the client's window.
        silenceTimer?.cancel()
        cancellation = nil
        stream.onBreak = nil
        finish()
        stream.discardInbound()
        onEnd?()
        onEnd = nil
    }

    private func cancel() {
        isBroken = true
        record.broke()
        stopTimers()
        cancellation?.cancel()
    }

    /// The stream is over, so nothing of it is left to end.
    func streamClosed() { stopTimers() }

    /// Frees the stream, whatever the client's window is. DATA that waits for it is dropped, and
    /// the rest of a message with it, so the client cannot make sense of trailers then.
    private func expire() {
        let status = Status(code: .deadlineExceeded, message: "the deadline passed")
        guard stream.hasPendingData else {
            if !stream.hasEnded { fail(status) }
            return
        }
        record.end(status)
        connection.reset(
            stream, errorCode: HTTP2ErrorCode.cancel,
            RPCError(code: .deadlineExceeded, message: status.message))
    }

    private func stopTimers() {
        deadline?.cancel()
        silenceTimer?.cancel()
    }

    private func lookForSilence(after delay: Duration) {
        silenceTimer = EventLoop.Timer(after: delay) { [weak self] in self?.findSilence() }
    }

    /// A client may be slow, but not keep what its RPC holds by saying nothing. One look in a while
    /// costs less than a timer for each message.
    private func findSilence() {
        guard let requestTimeout, !stream.hasPeerEnded else { return }
        let silence = stream.readerWaitsSince.map { ContinuousClock.now - $0 } ?? .zero
        guard silence >= requestTimeout else {
            return lookForSilence(after: requestTimeout - silence)
        }
        if isServerStopping {
            return fail(Status(code: .unavailable, message: "the server is stopping"))
        }
        let message = "nothing of the request came for \(requestTimeout)"
        fail(Status(code: .deadlineExceeded, message: message))
    }

    /// The server is about to stop, and waits no longer than this for more of the request.
    func hurry(_ timeout: Duration) {
        isServerStopping = true
        requestTimeout = min(requestTimeout ?? timeout, timeout)
        silenceTimer?.cancel()
        findSilence()
    }

    /// Ends the RPC with a status at once and tells the handler to stop.
    func fail(_ status: Status) {
        guard !stream.isClosed else { return }
        record.end(status)
        var trailers = HeaderList()
        StatusHeaders.append(status, to: &trailers)
        if stream.hasSentHead {
            stream.abandon(trailers: trailers)
        } else {
            connection.respond(stream, Self.responseHead(followedBy: trailers), endsStream: true)
        }
        stream.discardInbound(RPCError(status: status))
        cancel()
    }

    // MARK: Writing

    fileprivate func write(_ part: RPCResponsePart<MessageBytes>) async throws {
        switch part {
        case .metadata(let metadata):
            var headers = Self.responseHead()
            try MetadataHeaders.append(metadata, to: &headers)
            connection.respond(stream, headers, endsStream: false)
        case .message(let message):
            try await stream.write(message)
            record.send(message.count)
        case .status(let status, let metadata):
            record.end(status)
            var trailers = HeaderList()
            StatusHeaders.append(status, to: &trailers)
            try MetadataHeaders.append(metadata, to: &trailers)
            if stream.hasSentHead {
                stream.finish(trailers: trailers)
            } else {
                connection.respond(
                    stream, Self.responseHead(followedBy: trailers), endsStream: true)
            }
        }
    }

    /// After a status this does nothing; without one the RPC cannot end well.
    fileprivate func finish() {
        guard !stream.isClosed, !stream.hasEnded else { return }
        fail(Status(code: .internalError, message: "the RPC ended without a status"))
    }

    static func responseHead(followedBy trailers: HeaderList? = nil) -> HeaderList {
        var headers: HeaderList = HeaderList([
            ":status": "200", "content-type": "application/grpc",
        ])
        for field in trailers?.fields ?? [] { headers.append(field.name, field.value) }
        return headers
    }

    // MARK: What GRPCCore reads and writes

    struct Inbound: AsyncSequence, Sendable {
        let stream: HTTP2Stream
        let record: CallRecord

        func makeAsyncIterator() -> Iterator { Iterator(stream: stream, record: record) }

        struct Iterator: AsyncIteratorProtocol {
            let stream: HTTP2Stream
            let record: CallRecord

            func next() async throws -> RPCRequestPart<MessageBytes>? {
                switch try await stream.next() {
                case .metadata(let metadata): return .metadata(metadata)
                case .message(let message):
                    record.receive(message.count)
                    return .message(message)
                case .status, nil: return nil
                }
            }

            func next(
                isolation actor: isolated (any Actor)?
            ) async throws(any Error) -> RPCRequestPart<MessageBytes>? {
                try await next()
            }
        }
    }

    struct Outbound: ClosableRPCWriterProtocol {
        let stream: ServerStream

        func write(_ element: RPCResponsePart<MessageBytes>) async throws {
            try await stream.write(element)
        }

        func write(
            contentsOf elements: some Sequence<RPCResponsePart<MessageBytes>>
        ) async throws {
            for element in elements { try await stream.write(element) }
        }

        func finish() async { await stream.finish() }

        func finish(throwing error: any Error) async {
            await stream.fail(
                Status(code: .internalError, message: "the RPC ended without a status"))
        }
    }
}
