import GRPCCore
import SystemIO

/// The client's end of one RPC. The HTTP/2 stream opens when its metadata are written.
@EventLoop
final class ClientStream {
    private enum State {
        case idle([CheckedContinuation<Void, Never>])
        case open(HTTP2Stream)
        case failed(RPCError)
    }

    private let connection: HTTP2Connection
    private let method: MethodDescriptor
    private let authority: String
    private let scheme: String
    private let userAgent: String
    private var state = State.idle([])

    init(
        on connection: HTTP2Connection, method: MethodDescriptor, authority: String,
        userAgent: String
    ) {
        self.connection = connection
        self.method = method
        self.authority = authority
        self.userAgent = userAgent
        scheme = connection.channel.isSecure ? "https" : "http"
    }

    /// Breaks the stream off unless it has ended.
    func end() {
        let error = RPCError(code: .cancelled, message: "the RPC was cancelled")
        switch state {
        case .idle: settle(.failed(error))
        case .open(let stream):
            // Messages that wait for the server's window are of no use after its answer.
            if !(stream.hasReceivedStatus && stream.hasHandedOverAll) {
                connection.reset(stream, errorCode: HTTP2ErrorCode.cancel, error)
            }
            stream.discardInbound()
        case .failed: break
        }
    }

    private func settle(_ state: State) {
        guard case .idle(let waiters) = self.state else { return }
        self.state = state
        for waiter in waiters { waiter.resume() }
    }

    private func open(_ metadata: Metadata) throws {
        guard case .idle = state else {
            throw RPCError(code: .failedPrecondition, message: "the metadata were sent already")
        }
        do {
            var headers = HeaderList([
                ":method": "POST", ":scheme": scheme,
                ":path": "/\(method.fullyQualifiedMethod)", ":authority": authority,
                "te": "trailers", "content-type": "application/grpc", "user-agent": userAgent,
            ])
            try MetadataHeaders.append(metadata, to: &headers, timeout: true)
            settle(.open(try connection.openStream(headers)))
        } catch {
            let failure =
                error as? RPCError
                ?? RPCError(code: .unavailable, message: "\(error)", cause: error)
            settle(.failed(failure))
            throw failure
        }
    }

    private func opened() async throws -> HTTP2Stream {
        if case .idle = state {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if case .idle(var waiters) = state, !Task.isCancelled {
                        waiters.append(continuation)
                        state = .idle(waiters)
                    } else {
                        continuation.resume()
                    }
                }
            } onCancel: {
                EventLoop.enqueue { self.end() }
            }
        }
        switch state {
        case .open(let stream): return stream
        case .failed(let error): throw error
        case .idle: throw CancellationError()
        }
    }

    fileprivate func next() async throws -> InboundPart? {
        try await opened().next()
    }

    fileprivate func write(_ part: RPCRequestPart<MessageBytes>) async throws {
        switch part {
        case .metadata(let metadata): try open(metadata)
        case .message(let message):
            guard case .open(let stream) = state else {
                throw RPCError(code: .failedPrecondition, message: "the metadata come first")
            }
            try await stream.write(message)
        }
    }

    fileprivate func finish() {
        if case .open(let stream) = state { stream.finish() }
    }

    // MARK: What GRPCCore reads and writes

    struct Inbound: AsyncSequence, Sendable {
        let stream: ClientStream

        func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

        struct Iterator: AsyncIteratorProtocol {
            let stream: ClientStream

            func next() async throws -> RPCResponsePart<MessageBytes>? {
                switch try await stream.next() {
                case .metadata(let metadata): .metadata(metadata)
                case .message(let message): .message(message)
                case .status(let status, let metadata): .status(status, metadata)
                case nil: nil
                }
            }

            func next(
                isolation actor: isolated (any Actor)?
            ) async throws(any Error) -> RPCResponsePart<MessageBytes>? {
                try await next()
            }
        }
    }

    struct Outbound: ClosableRPCWriterProtocol {
        let stream: ClientStream

        func write(_ element: RPCRequestPart<MessageBytes>) async throws {
            try await stream.write(element)
        }

        func write(contentsOf elements: some Sequence<RPCRequestPart<MessageBytes>>) async throws {
            for element in elements { try await stream.write(element) }
        }

        func finish() async { await stream.finish() }

        func finish(throwing error: any Error) async { await stream.end() }
    }
}
