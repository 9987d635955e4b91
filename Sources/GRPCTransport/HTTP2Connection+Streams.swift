import GRPCCore
import SystemIO

/// Opening, answering and ending streams.
extension HTTP2Connection {
    /// Opens a stream towards the server.
    func openStream(_ headers: HeaderList) throws -> HTTP2Stream {
        guard isAcceptingStreams else {
            throw RPCError(code: .unavailable, message: "the connection is closing")
        }
        let identifier = try session.submitRequest(headers)
        let stream = addStream(identifier)
        stream.headSent(ends: false)
        scheduleFlush()
        return stream
    }

    @discardableResult
    func addStream(_ identifier: Int32) -> HTTP2Stream {
        let stream = HTTP2Stream(
            identifier: identifier, connection: self, messageLimit: configuration.messageLimit,
            estimate: WindowEstimate(
                window: configuration.limits.streamWindow,
                widest: configuration.limits.widestStreamWindow))
        streams[identifier] = stream
        return stream
    }

    /// Answers a stream with headers.
    func respond(_ stream: HTTP2Stream, _ headers: HeaderList, endsStream: Bool) {
        guard !stream.isClosed, !stream.hasSentHead else { return }
        stream.headSent(ends: endsStream)
        session.submitResponse(stream: stream.identifier, headers, endsStream: endsStream)
        scheduleFlush()
    }

    /// Ends a stream that has no DATA waiting.
    func sendTrailers(_ stream: HTTP2Stream, _ trailers: HeaderList) {
        session.submitTrailers(stream: stream.identifier, trailers)
        scheduleFlush()
    }

    /// Breaks a stream off; those who wait on it learn of `error`.
    func reset(_ stream: HTTP2Stream, errorCode: UInt32, _ error: RPCError) {
        guard !stream.isClosed else { return }
        session.reset(stream: stream.identifier, errorCode: errorCode)
        stream.close(error)
        scheduleFlush()
    }

    func resume(_ stream: HTTP2Stream) {
        session.resume(stream: stream.identifier)
        scheduleFlush()
        watchForStall()
    }
}
