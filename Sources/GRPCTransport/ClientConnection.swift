import GRPCCore
import SystemIO

/// A connection to the server, as the client sees it.
@EventLoop
final class ClientConnection: HTTP2ConnectionDelegate {
    /// Who waits for the end of the handshake.
    private var handshake: CheckedContinuation<Void, any Error>?
    private(set) var connection: HTTP2Connection?
    /// Called once when the connection takes no further RPCs.
    var onUnusable: (@EventLoop (ClientConnection) -> Void)?
    /// Called once when it is over.
    var onClose: (@EventLoop (ClientConnection) -> Void)?

    /// Brings up TLS and HTTP/2.
    func start(_ channel: Channel, configuration: HTTP2ConnectionConfiguration) async throws {
        let connection = HTTP2Connection(
            channel, isServer: false, configuration: configuration, delegate: self)
        self.connection = connection
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                handshake = continuation
                connection.start()
            }
        } onCancel: {
            EventLoop.enqueue { self.close(CancellationError()) }
        }
    }

    var isUsable: Bool { connection?.isAcceptingStreams ?? false }

    func drain() { connection?.drain() }
    func close(_ error: (any Error)?) { connection?.close(error) }

    // MARK: HTTP2ConnectionDelegate

    func inputProcessed(on connection: HTTP2Connection) {}

    func connectionReady(_ connection: HTTP2Connection) {
        handshake?.resume()
        handshake = nil
    }

    func connectionDraining(_ connection: HTTP2Connection) {
        onUnusable?(self)
        onUnusable = nil
    }

    func connectionClosed(_ connection: HTTP2Connection, _ error: (any Error)?) {
        handshake?.resume(
            throwing: error ?? TLSError(.protocolMismatch, "the peer closed during the handshake"))
        handshake = nil
        self.connection = nil
        onUnusable?(self)
        onUnusable = nil
        onClose?(self)
        onClose = nil
    }

    func headReceived(_ stream: HTTP2Stream, endsStream: Bool, on connection: HTTP2Connection) {
        switch ResponseHead.first(stream.headers, endsStream: endsStream) {
        case .interim: stream.headers = HeaderList()
        case .metadata(let metadata): stream.receive(.metadata(metadata))
        case .status(let status, let metadata):
            stream.receive(.status(status, metadata))
            if !endsStream { drop(stream, on: connection) }
        }
    }

    func trailersReceived(_ stream: HTTP2Stream, on connection: HTTP2Connection) {
        let (status, metadata) = ResponseHead.last(stream.headers)
        stream.receive(.status(status, metadata))
    }

    func peerEnded(_ stream: HTTP2Stream, on connection: HTTP2Connection) {
        do {
            if !stream.hasReceivedStatus {
                let message = "the peer ended the stream without a status"
                stream.receive(.status(Status(code: .unknown, message: message), [:]))
            }
            try stream.receiveEnd()
        } catch {
            streamViolated(stream, error, on: connection)
        }
    }

    func streamViolated(
        _ stream: HTTP2Stream, _ error: RPCError, on connection: HTTP2Connection
    ) {
        connection.reset(stream, errorCode: HTTP2ErrorCode.cancel, error)
    }

    /// Lets go of a stream whose answer is known although the peer goes on talking.
    private func drop(_ stream: HTTP2Stream, on connection: HTTP2Connection) {
        // What is queued stays readable.
        try? stream.receiveEnd()
        connection.reset(
            stream, errorCode: HTTP2ErrorCode.cancel,
            RPCError(code: .cancelled, message: "the answer was dropped"))
    }
}
