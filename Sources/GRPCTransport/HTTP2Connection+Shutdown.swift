import GRPCCore
import Glibc
import SystemIO

/// The end, in good order or not.
extension HTTP2Connection {
    /// How long a peer may take to answer the notice of a shutdown.
    private static let noticeTimeout: Duration = .seconds(1)

    /// Takes no new streams and closes after the last one.
    func drain() {
        switch state {
        case .handshaking: close(nil)
        case .open where isServer:
            state = .noticed
            session.announceShutdown()
            // The answer comes after everything the peer sent before it saw the notice.
            session.submitPing(.notice)
            timers.notice = EventLoop.Timer(after: Self.noticeTimeout) { [weak self] in
                self?.refuseStreams()
            }
            scheduleFlush()
        case .open: refuseStreams()
        case .noticed, .draining, .closed: break
        }
    }

    func refuseStreams() {
        timers.notice?.cancel()
        switch state {
        case .open, .noticed:
            state = .draining
            session.goAway()
            scheduleFlush()
        case .handshaking, .draining, .closed: break
        }
    }

    func closeWhenDrained() {
        if case .draining = state, streams.isEmpty { close(nil) }
    }

    /// Ends the connection now; streams still open are broken off with `error`.
    func close(_ error: (any Error)?) {
        let canWrite: Bool
        switch state {
        case .closed: return
        case .handshaking: canWrite = false
        case .open, .noticed, .draining: canWrite = true
        }
        state = .closed
        configuration.handshakes?.scheduler.remove(self)
        timers.cancelAll()
        if canWrite { sayGoodbye(error) }
        watch?.cancel()
        watch = nil
        channel.shutdown()
        let reason = RPCError(
            code: .unavailable,
            message: error.map { "the connection broke: \($0)" } ?? "the connection was closed",
            cause: error)
        let open = streams.values
        streams = [:]
        for stream in open { stream.close(reason) }
        let delegate = self.delegate
        self.delegate = nil
        // Who leaves with no RPC under way has broken nothing off, also where something of ours,
        // such as the answer to a ping, was still on its way.
        let isLeaving = open.isEmpty && Self.saysPeerIsGone(error)
        delegate?.connectionClosed(self, isServer && isLeaving ? nil : error)
    }

    private static func saysPeerIsGone(_ error: (any Error)?) -> Bool {
        guard let error = error as? SystemError else { return false }
        return error.code == EPIPE || error.code == ECONNRESET
    }

    /// Tells the peer why, as far as that goes without waiting; it may be gone already.
    private func sayGoodbye(_ error: (any Error)?) {
        switch error {
        case nil: break
        case is HTTP2Error: session.goAway(errorCode: HTTP2ErrorCode.protocolError)
        case let violation as PeerViolation:
            if let code = violation.errorCode { session.goAway(errorCode: code) }
        default: return
        }
        _ = try? fill()
        _ = try? output.write(to: channel)
    }

    /// Closes because the session wants nothing more of the peer.
    func closeWithSession() {
        // Draws out the reason, if it has not been yet.
        _ = try? fill()
        close(
            sessionError == HTTP2ErrorCode.noError ? nil : PeerViolation.brokeProtocol(sessionError)
        )
    }
}
