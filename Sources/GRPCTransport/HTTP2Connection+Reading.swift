import SystemIO

/// From the socket to the session.
extension HTTP2Connection {
    /// Bytes read before other connections get their turn.
    private static let readQuantum = 512 << 10
    /// Frames of which the same is true: the shortest cost as much as some hundred bytes.
    private static let frameQuantum = 4096
    /// The time after which the same is true: TLS hands out a record at a time, which may carry a
    /// byte.
    private static let turnLimit: Duration = .milliseconds(2)
    /// Shared by all connections, since only one reads at a time.
    private static let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 64 << 10, alignment: 16)

    func read() {
        var total = 0
        let turnEnd = ContinuousClock.now + Self.turnLimit
        framesRead = 0
        timers.readAgain?.cancel()
        defer { delegate?.inputProcessed(on: self) }
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
                if total >= Self.readQuantum || framesRead >= Self.frameQuantum
                    || lastArrival >= turnEnd
                {
                    // TLS may hold bytes that the kernel no longer knows of, so ask again.
                    timers.readAgain = EventLoop.Timer(after: .zero) { [weak self] in self?.read() }
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
}
