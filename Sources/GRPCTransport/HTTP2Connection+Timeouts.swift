import GRPCCore
import Glibc
import SystemIO

/// Peers that are slow or silent.
extension HTTP2Connection {
    /// Sets a bound to a header list that came in part.
    func watchHeaders() {
        guard let timeout = configuration.headerTimeout, timers.header == nil else { return }
        timers.header = EventLoop.Timer(after: timeout) { [weak self] in
            self?.close(PeerViolation.slowHeaders(timeout))
        }
    }

    func headersAreDone() {
        isInsideHeaders = false
        timers.header?.cancel()
        timers.header = nil
    }

    /// The server is about to stop, and waits no longer than this for what does not get out.
    func hurry(_ timeout: Duration) {
        stallTimeout = min(stallTimeout ?? timeout, timeout)
        timers.stall?.cancel()
        findStall(timeout)
    }

    /// Looks for what does not get out, as long as something waits to; a timer that finds all
    /// well costs less than one for each message.
    func watchForStall() {
        guard let timeout = stallTimeout, timers.stall == nil else { return }
        if case .closed = state { return }
        timers.stall = EventLoop.Timer(after: timeout) { [weak self] in self?.findStall(timeout) }
    }

    private func findStall(_ timeout: Duration) {
        timers.stall = nil
        let now = ContinuousClock.now
        let blockedSince = output.blockedSince
        if let blockedSince, now - blockedSince >= timeout {
            return close(PeerViolation.stalled(timeout))
        }
        let waiting = streams.values.filter { $0.outputWaitsSince != nil }
        let stalled = waiting.filter { $0.outputWaitsSince.map { now - $0 >= timeout } ?? false }
        // With other streams in use the peer is worth keeping; only what it neglects is ended.
        if !stalled.isEmpty, stalled.count == streams.count {
            return close(PeerViolation.stalled(timeout))
        }
        for stream in stalled {
            let message = "nothing of the answer could be sent for \(timeout)"
            reset(
                stream, errorCode: HTTP2ErrorCode.cancel,
                RPCError(code: .unavailable, message: message))
        }
        let oldest = (waiting.compactMap { $0.outputWaitsSince } + [blockedSince].compactMap { $0 })
            .filter { now - $0 < timeout }.min()
        guard let oldest else { return }
        timers.stall = EventLoop.Timer(after: timeout - (now - oldest)) { [weak self] in
            self?.findStall(timeout)
        }
    }

    func scheduleKeepalive() {
        guard let time = configuration.keepaliveTime else { return }
        let rest = time - (ContinuousClock.now - lastArrival)
        timers.keepalive = EventLoop.Timer(after: max(rest, .milliseconds(1))) { [weak self] in
            guard let self else { return }
            guard ContinuousClock.now - lastArrival >= time else { return scheduleKeepalive() }
            isPingOutstanding = true
            session.submitPing(.sign)
            scheduleFlush()
            timers.keepalive = EventLoop.Timer(after: configuration.keepaliveTimeout) {
                [weak self] in
                self?.close(SystemError("keepalive", code: ETIMEDOUT))
            }
        }
    }
}
