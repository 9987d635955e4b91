import GRPCCore
import Glibc
import SystemIO

/// What one side of RPC does with the events of its connection.
@EventLoop
protocol HTTP2ConnectionDelegate: AnyObject {
    /// A stream's first header list is complete; on a server that opens the RPC.
    func headReceived(_ stream: HTTP2Stream, endsStream: Bool, on connection: HTTP2Connection)
    /// A later header list is complete, which ends the peer's side.
    func trailersReceived(_ stream: HTTP2Stream, on connection: HTTP2Connection)
    /// The peer has ended its side with a DATA frame, or as it sent its head.
    func peerEnded(_ stream: HTTP2Stream, on connection: HTTP2Connection)
    /// A message's bytes broke the rules of gRPC; the stream is to be ended with that status.
    func streamViolated(_ stream: HTTP2Stream, _ error: RPCError, on connection: HTTP2Connection)
    /// TLS and HTTP/2 are up: the peer's settings have come, so that it has accepted us, which a
    /// completed handshake alone does not say in TLS 1.3.
    func connectionReady(_ connection: HTTP2Connection)
    /// The peer takes no further streams.
    func connectionDraining(_ connection: HTTP2Connection)
    /// The connection is over: nil when it ended in good order.
    func connectionClosed(_ connection: HTTP2Connection, _ error: (any Error)?)
}

/// Timings and sizes of a connection.
struct HTTP2ConnectionConfiguration {
    var limits: HTTP2Limits
    /// The largest message, in bytes.
    var messageLimit: Int
    var handshakeTimeout: Duration
    /// How long a peer may take over the headers of a request; nil for ever.
    var headerTimeout: Duration?
    /// How long bytes may wait to be sent without any of them going out; nil for ever.
    var stallTimeout: Duration?
    /// What the connection's share of the memory for messages comes out of.
    var budget: BufferBudget?
    /// How long nothing may arrive before a ping asks whether the peer is still there; nil for
    /// never.
    var keepaliveTime: Duration?
    /// How long the answer to that ping may take.
    var keepaliveTimeout: Duration
}

/// An HTTP/2 connection: moves bytes between a channel and a session, and keeps the streams.
@EventLoop
final class HTTP2Connection: HTTP2SessionDelegate {
    private enum State {
        case handshaking
        case open
        /// The peer has been told that no new streams will be taken soon, and may have opened
        /// some before it learnt of that.
        case noticed
        /// No new streams; closes when the last one has.
        case draining
        case closed
    }

    /// How often a round trip is measured, as long as much arrives.
    private static let measurementInterval: Duration = .milliseconds(250)
    /// How long a peer may take to answer the notice of a shutdown.
    private static let noticeTimeout: Duration = .seconds(1)
    /// Bytes collected before they are written: a few TLS records.
    private static let outputSize = 64 << 10
    /// Bytes read before other connections get their turn.
    private static let readQuantum = 512 << 10
    /// Shared by all connections, since only one reads at a time.
    private static let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 64 << 10, alignment: 16)

    let channel: Channel
    private let isServer: Bool
    private let configuration: HTTP2ConnectionConfiguration
    private weak var delegate: (any HTTP2ConnectionDelegate)?
    private(set) lazy var session = HTTP2Session(
        isServer: isServer, limits: configuration.limits, delegate: self)

    private var state = State.handshaking
    private var watch: Watch?
    private(set) var streams: [Int32: HTTP2Stream] = [:]
    private var output: [UInt8] = []
    private var outputOffset = 0
    private var isFlushScheduled = false
    private var isReading = false
    private var readAgain: EventLoop.Timer?
    private var handshakeTimer: EventLoop.Timer?
    private var keepaliveTimer: EventLoop.Timer?
    private var noticeTimer: EventLoop.Timer?
    private var headerTimer: EventLoop.Timer?
    private var stallTimer: EventLoop.Timer?
    private var lastArrival = ContinuousClock.now
    private var isPingOutstanding = false
    /// When our settings, or a ping that measures, went out, until that is acknowledged.
    private var measuringSince: ContinuousClock.Instant?
    private var lastMeasurement: ContinuousClock.Instant?
    /// The shortest that was measured: others had to wait behind what the peer was sending.
    private var roundTrip: Duration?
    /// Whether a header list has begun and not ended.
    private var isInsideHeaders = false
    /// Since when the socket has taken nothing of what there is to write.
    private var blockedSince: ContinuousClock.Instant?
    private var conduct: PeerConduct?
    /// What the peer did when a callback of the session has said that it is over.
    private var violation: PeerViolation?
    /// The error that the session itself found the connection to end with.
    private var sessionError: UInt32 = 0
    /// Bytes of messages held, which count against the budget.
    private(set) var held = 0

    init(
        _ channel: Channel, isServer: Bool, configuration: HTTP2ConnectionConfiguration,
        delegate: any HTTP2ConnectionDelegate
    ) {
        self.channel = channel
        self.isServer = isServer
        self.configuration = configuration
        self.delegate = delegate
        conduct = configuration.limits.conduct.map { PeerConduct($0, at: .now) }
    }

    /// Begins the handshake.
    func start() {
        do {
            watch = try Watch(channel.number, for: [.readable]) { [weak self] readiness in
                self?.ready(readiness)
            }
        } catch {
            return close(error)
        }
        handshakeTimer = EventLoop.Timer(after: configuration.handshakeTimeout) { [weak self] in
            guard let self else { return }
            close(PeerViolation.slowHandshake(configuration.handshakeTimeout))
        }
        advanceHandshake()
    }

    var isAcceptingStreams: Bool {
        if case .open = state { true } else { false }
    }

    // MARK: Streams

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
    private func addStream(_ identifier: Int32) -> HTTP2Stream {
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

    /// A stream holds more, or less.
    func holds(moreBy bytes: Int) {
        held += bytes
        configuration.budget?.change(by: bytes)
    }

    func release(_ stream: HTTP2Stream, _ count: Int) {
        session.release(stream: stream.identifier, count)
        widen(stream, count)
        if !isReading { scheduleFlush() }
    }

    /// Makes a stream's window wider, where its peer is far away and we took what it sent.
    private func widen(_ stream: HTTP2Stream, _ count: Int) {
        // A short message needs no window; let it cost nothing either.
        guard let roundTrip, stream.bytesReceived >= configuration.limits.streamWindow / 2 else {
            return
        }
        let now = ContinuousClock.now
        guard let wanted = stream.estimate.took(count, at: now, roundTrip: roundTrip) else {
            return measureRoundTrip(at: now)
        }
        let more = wanted - stream.estimate.window
        let granted = configuration.budget?.widen(by: more) ?? more
        guard granted > 0 else { return }
        stream.estimate.widen(by: granted)
        session.widen(stream: stream.identifier, to: stream.estimate.window)
    }

    /// A stream is over; what its window was wider by is for others.
    func narrow(by bytes: Int) { configuration.budget?.narrow(by: bytes) }

    private func measureRoundTrip(at now: ContinuousClock.Instant) {
        guard measuringSince == nil,
            lastMeasurement.map({ now - $0 >= Self.measurementInterval }) ?? true
        else { return }
        measuringSince = now
        lastMeasurement = now
        session.submitPing(.measurement)
    }

    private func measured() {
        guard let begin = measuringSince else { return }
        measuringSince = nil
        let time = ContinuousClock.now - begin
        roundTrip = min(time, roundTrip ?? time)
    }

    // MARK: Shutting down

    /// Takes no new streams and closes after the last one.
    func drain() {
        switch state {
        case .handshaking: close(nil)
        case .open where isServer:
            state = .noticed
            session.announceShutdown()
            // The answer comes after everything the peer sent before it saw the notice.
            session.submitPing(.notice)
            noticeTimer = EventLoop.Timer(after: Self.noticeTimeout) { [weak self] in
                self?.refuseStreams()
            }
            scheduleFlush()
        case .open: refuseStreams()
        case .noticed, .draining, .closed: break
        }
    }

    private func refuseStreams() {
        noticeTimer?.cancel()
        switch state {
        case .open, .noticed:
            state = .draining
            session.goAway()
            scheduleFlush()
        case .handshaking, .draining, .closed: break
        }
    }

    private func closeWhenDrained() {
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
        for timer in [
            handshakeTimer, keepaliveTimer, noticeTimer, readAgain, headerTimer, stallTimer,
        ] { timer?.cancel() }
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
        delegate?.connectionClosed(self, error)
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
        _ = try? writeOutput()
    }

    /// Closes because the session wants nothing more of the peer.
    private func closeWithSession() {
        // Draws out the reason, if it has not been yet.
        _ = try? fill()
        close(sessionError == 0 ? nil : PeerViolation.brokeProtocol(sessionError))
    }

    // MARK: Input and output

    private func ready(_ readiness: Readiness) {
        switch state {
        case .handshaking: advanceHandshake()
        case .open, .noticed, .draining:
            if readiness.contains(.writable) { flush() }
            if readiness.contains(.readable) { read() }
        case .closed: break
        }
    }

    private func advanceHandshake() {
        do {
            switch try channel.handshake() {
            case .wait(let readiness): watch?.wait(for: readiness)
            case .end: close(TLSError(.protocolMismatch, "the peer closed during the handshake"))
            case .done:
                state = .open
                watch?.wait(for: .readable)
                // The settings go out.
                measuringSince = .now
                flush()
                read()
            }
        } catch {
            close(error)
        }
    }

    private func read() {
        var total = 0
        do {
            while true {
                switch state {
                case .closed, .handshaking: return
                case .open, .noticed, .draining: break
                }
                switch try channel.read(into: Self.readBuffer) {
                case .wait(let readiness):
                    if readiness == .writable { watch?.wait(for: [.readable, .writable]) }
                    if !session.isAlive { closeWithSession() }
                    return
                case .end:
                    close(nil)
                    return
                case .done(let count):
                    lastArrival = .now
                    isReading = true
                    defer { isReading = false }
                    try session.receive(
                        UnsafeRawBufferPointer(rebasing: Self.readBuffer[..<count]))
                    total += count
                    guard session.wantsRead else { return closeWithSession() }
                    guard session.outboundQueueSize <= mostUnreadFrames else {
                        throw PeerViolation.unreadAnswers(mostUnreadFrames)
                    }
                    if isInsideHeaders { watchHeaders() }
                    if session.wantsWrite { scheduleFlush() }
                }
                if total >= Self.readQuantum {
                    // TLS may hold bytes that the kernel no longer knows of, so ask again.
                    readAgain = EventLoop.Timer(after: .zero) { [weak self] in self?.read() }
                    return
                }
            }
        } catch {
            close(violation ?? error)
        }
    }

    /// Frames that may wait until the peer reads. A stream has a few at most: an answer, its
    /// window, a reset; the rest is for the connection's own.
    private var mostUnreadFrames: Int { 256 + 8 * configuration.limits.maximumConcurrentStreams }

    private func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        EventLoop.atEndOfTurn { [weak self] in
            guard let self else { return }
            isFlushScheduled = false
            flush()
        }
    }

    private func flush() {
        switch state {
        case .handshaking, .closed: return
        case .open, .noticed, .draining: break
        }
        do {
            while true {
                try fill()
                guard try writeOutput() else {
                    watch?.wait(for: [.readable, .writable])
                    watchForStall()
                    return
                }
                if !session.wantsWrite { break }
                if output.isEmpty, try !hasMore() { break }
            }
            watch?.wait(for: .readable)
            if !session.isAlive { closeWithSession() } else { closeWhenDrained() }
        } catch {
            close(error)
        }
    }

    /// Draws one more piece out of the session.
    private func hasMore() throws -> Bool {
        guard let bytes = try session.next() else { return false }
        output.append(contentsOf: bytes)
        return true
    }

    private func fill() throws {
        while output.count < Self.outputSize, try hasMore() {}
    }

    /// - Returns: false when the socket takes no more for now.
    private func writeOutput() throws -> Bool {
        while outputOffset < output.count {
            let progress = try output.withUnsafeBytes {
                try channel.write(UnsafeRawBufferPointer(rebasing: $0[outputOffset...]))
            }
            switch progress {
            case .done(let count):
                outputOffset += count
                blockedSince = nil
            case .wait:
                if blockedSince == nil { blockedSince = .now }
                return false
            case .end: throw SystemError("write", code: EPIPE)
            }
        }
        output.removeAll(keepingCapacity: true)
        outputOffset = 0
        return true
    }

    // MARK: Slow peers

    /// Sets a bound to a header list that came in part.
    private func watchHeaders() {
        guard let timeout = configuration.headerTimeout, headerTimer == nil else { return }
        headerTimer = EventLoop.Timer(after: timeout) { [weak self] in
            self?.close(PeerViolation.slowHeaders(timeout))
        }
    }

    private func headersAreDone() {
        isInsideHeaders = false
        headerTimer?.cancel()
        headerTimer = nil
    }

    /// Looks for what does not get out, as long as something waits to; a timer that finds all
    /// well costs less than one for each message.
    private func watchForStall() {
        guard let timeout = configuration.stallTimeout, stallTimer == nil else { return }
        if case .closed = state { return }
        stallTimer = EventLoop.Timer(after: timeout) { [weak self] in self?.findStall(timeout) }
    }

    private func findStall(_ timeout: Duration) {
        stallTimer = nil
        let now = ContinuousClock.now
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
        stallTimer = EventLoop.Timer(after: timeout - (now - oldest)) { [weak self] in
            self?.findStall(timeout)
        }
    }

    // MARK: Keepalive

    private func scheduleKeepalive() {
        guard let time = configuration.keepaliveTime else { return }
        let rest = time - (ContinuousClock.now - lastArrival)
        keepaliveTimer = EventLoop.Timer(after: max(rest, .milliseconds(1))) { [weak self] in
            guard let self else { return }
            guard ContinuousClock.now - lastArrival >= time else { return scheduleKeepalive() }
            isPingOutstanding = true
            session.submitPing(.sign)
            scheduleFlush()
            keepaliveTimer = EventLoop.Timer(after: configuration.keepaliveTimeout) { [weak self] in
                self?.close(SystemError("keepalive", code: ETIMEDOUT))
            }
        }
    }

    // MARK: HTTP2SessionDelegate

    func settingsReceived() {
        guard let timer = handshakeTimer else { return }
        timer.cancel()
        handshakeTimer = nil
        scheduleKeepalive()
        delegate?.connectionReady(self)
    }

    func settingsAcknowledged() { measured() }

    func pingAcknowledged(_ purpose: PingPurpose) {
        switch purpose {
        case .measurement: return measured()
        case .notice:
            if case .noticed = state { refuseStreams() }
        case .sign: break
        }
        // The answer to a notice is a sign of life as well.
        guard isPingOutstanding else { return }
        isPingOutstanding = false
        keepaliveTimer?.cancel()
        scheduleKeepalive()
    }

    func frameBegan(_ frame: PeerConduct.Frame) -> Bool {
        // The one before, if it was a header list, has ended: nothing may come between.
        if isInsideHeaders, frame.type != PeerConduct.Frame.continuation { headersAreDone() }
        if frame.type == PeerConduct.Frame.headers { isInsideHeaders = true }
        violation = conduct?.received(frame, at: .now)
        return violation == nil
    }

    func invalidFrameReceived() -> Bool {
        violation = conduct?.broke(at: .now)
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
            session.release(stream: identifier, bytes.count)
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
