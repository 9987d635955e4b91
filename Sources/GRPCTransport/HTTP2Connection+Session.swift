import GRPCCore
import SystemIO

extension HTTP2Connection: HTTP2SessionDelegate {
    func settingsReceived() {
        guard let timer = timers.handshake else { return }
        timer.cancel()
        timers.handshake = nil
        scheduleKeepalive()
        delegate?.connectionReady(self)
    }

    func settingsAcknowledged() { roundTrip.end(at: .now) }

    func pingAcknowledged(_ purpose: PingPurpose) {
        switch purpose {
        case .measurement: return roundTrip.end(at: .now)
        case .notice:
            if case .noticed = state { refuseStreams() }
        case .sign: break
        }
        // The answer to a notice is a sign of life as well.
        guard isPingOutstanding else { return }
        isPingOutstanding = false
        timers.keepalive?.cancel()
        scheduleKeepalive()
    }

    func frameBegan(_ frame: PeerConduct.Frame) -> Bool {
        // The one before, if it was a header list, has ended: nothing may come between.
        if isInsideHeaders, frame.type != PeerConduct.Frame.continuation { headersAreDone() }
        if frame.type == PeerConduct.Frame.headers { isInsideHeaders = true }
        framesRead += 1
        violation = conduct?.received(frame, at: .now)
        return violation == nil
    }

    func invalidFrameReceived(stream identifier: Int32) -> Bool {
        violation = conduct?.broke(at: .now)
        // Not only when the reset has gone out: its handler should not begin meanwhile.
        streams[identifier]?.close(
            RPCError(code: .internalError, message: "the peer broke HTTP/2 on the stream"))
        return violation == nil
    }

    func dataSent(_ length: Int) { conduct?.sentData(length) }

    func headersNotSent(stream identifier: Int32) {
        guard let stream = streams[identifier], !stream.isClosed else { return }
        reset(
            stream, errorCode: HTTP2ErrorCode.internalError,
            RPCError(code: .internalError, message: "the headers could not be sent"))
    }

    func goAwaySent(errorCode: UInt32) {
        if errorCode != HTTP2ErrorCode.noError { sessionError = errorCode }
    }

    func headersBegan(stream identifier: Int32, isFirst: Bool) {
        if isServer, isFirst {
            switch state {
            case .open, .noticed: break
            case .handshaking, .draining, .closed: return
            }
            conduct?.opened()
            addStream(identifier)
        } else {
            streams[identifier]?.headers = HeaderList()
        }
    }

    /// Header lists over the limit are answered, up to this many times as much; what is beyond
    /// that is no mistake, and unpacking it would take longer than receiving it.
    private static let headerBombFactor = 8

    func headerReceived(
        stream identifier: Int32, name: UnsafeBufferPointer<UInt8>,
        value: UnsafeBufferPointer<UInt8>
    ) -> HeaderVerdict {
        guard let stream = streams[identifier] else { return .resetStream }
        let limit = configuration.limits.maximumHeaderListSize
        let most = limit.multipliedReportingOverflow(by: Self.headerBombFactor)
        // One that is too large is not kept, but heard out, so that it can be answered.
        stream.headers.append(name, value, limit: limit)
        guard stream.headers.size > most.partialValue, !most.overflow else { return .proceed }
        violation = .headerBomb(most.partialValue)
        return .endConnection
    }

    func headersEnded(stream identifier: Int32, endsStream: Bool) {
        headersAreDone()
        guard let stream = streams[identifier], !stream.isClosed else { return }
        let limit = configuration.limits.maximumHeaderListSize
        guard stream.headers.size <= limit else {
            delegate?.streamViolated(
                stream,
                RPCError(
                    code: .resourceExhausted,
                    message: "the headers are over the limit of \(limit) bytes"),
                on: self)
            return
        }
        if stream.hasReceivedHead {
            delegate?.trailersReceived(stream, on: self)
        } else {
            delegate?.headReceived(stream, endsStream: endsStream, on: self)
        }
        if endsStream { dataEnded(stream: identifier) }
    }

    func dataReceived(stream identifier: Int32, _ bytes: UnsafeRawBufferPointer) {
        session.releaseConnection(bytes.count)
        guard let stream = streams[identifier], !stream.isClosed else {
            session.drop(stream: identifier, bytes.count)
            return
        }
        do {
            try stream.receive(bytes)
        } catch {
            delegate?.streamViolated(stream, error, on: self)
        }
    }

    func dataEnded(stream identifier: Int32) {
        guard let stream = streams[identifier], !stream.isClosed else { return }
        delegate?.peerEnded(stream, on: self)
    }

    func streamClosed(stream identifier: Int32, errorCode: UInt32) {
        guard let stream = streams.removeValue(forKey: identifier) else { return }
        let status = StatusHeaders.status(reset: errorCode)
        stream.close(
            RPCError(status: status) ?? RPCError(code: .unknown, message: status.message))
        scheduleFlush()
    }

    func streamEndSent(stream identifier: Int32) {
        guard isServer, let stream = streams[identifier], !stream.hasPeerEnded else { return }
        // The answer is complete, so the rest of the request is of no use (RFC 9113, 8.1).
        session.reset(stream: identifier, errorCode: HTTP2ErrorCode.noError)
    }

    func goAwayReceived() {
        guard !isServer, case .open = state else { return }
        state = .draining
        delegate?.connectionDraining(self)
        scheduleFlush()
    }

    func nextData(stream: Int32, into buffer: UnsafeMutableRawBufferPointer) -> OutboundData {
        streams[stream]?.nextData(into: buffer) ?? .none
    }
}
