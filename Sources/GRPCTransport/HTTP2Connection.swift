import Glibc
import SystemIO

/// An HTTP/2 connection: moves bytes between a channel and a session, and keeps the streams.
@EventLoop
final class HTTP2Connection {
    enum State {
        case handshaking
        case open
        /// The peer has been told that no new streams will be taken soon, and may have opened
        /// some before it learnt of that.
        case noticed
        /// No new streams; closes when the last one has.
        case draining
        case closed
    }

    let channel: Channel
    let isServer: Bool
    let configuration: HTTP2ConnectionConfiguration
    weak var delegate: (any HTTP2ConnectionDelegate)?
    private(set) lazy var session = HTTP2Session(
        isServer: isServer, limits: configuration.limits, delegate: self)

    var state = State.handshaking
    var watch: Watch?
    var streams: [Int32: HTTP2Stream] = [:]
    var output = OutputBuffer()
    var timers = HTTP2Timers()
    /// How long bytes may wait to be sent without any of them going out; nil for ever.
    var stallTimeout: Duration?
    var roundTrip = RoundTrip()
    var isFlushScheduled = false
    var isReading = false
    /// Since the connection last had its turn to read.
    var framesRead = 0
    var lastArrival = ContinuousClock.now
    var isPingOutstanding = false
    /// Whether a header list has begun and not ended.
    var isInsideHeaders = false
    var conduct: PeerConduct?
    /// What the peer did when a callback of the session has said that it is over.
    var violation: PeerViolation?
    /// The error that the session itself found the connection to end with.
    var sessionError: UInt32 = HTTP2ErrorCode.noError
    /// Bytes of messages held, which count against the budget.
    private(set) var held = 0

    init(
        _ channel: Channel, isServer: Bool, configuration: HTTP2ConnectionConfiguration,
        delegate: any HTTP2ConnectionDelegate
    ) {
        self.channel = channel
        self.isServer = isServer
        self.configuration = configuration
        stallTimeout = configuration.stallTimeout
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
        timers.handshake = EventLoop.Timer(after: configuration.handshakeTimeout) { [weak self] in
            guard let self else { return }
            let isWaiting = configuration.handshakes?.scheduler.isWaiting(self) ?? false
            let timeout = configuration.handshakeTimeout
            close(
                isWaiting
                    ? PeerViolation.tooManyHandshakes(timeout) : .slowHandshake(timeout))
        }
        // A server has to wait for the client's first words.
        if configuration.handshakes == nil { advanceHandshake() }
    }

    var isAcceptingStreams: Bool {
        if case .open = state { true } else { false }
    }

    /// A stream holds more, or less.
    func holds(moreBy bytes: Int) {
        held += bytes
        configuration.budget?.change(by: bytes)
    }

    private func ready(_ readiness: Readiness) {
        switch state {
        case .handshaking:
            guard let (scheduler, source) = configuration.handshakes else {
                return advanceHandshake()
            }
            // Of a peer that is gone nothing is worth its processor time.
            guard !readiness.contains(.hangup) else {
                return close(SystemError("read", code: ECONNRESET))
            }
            // Until its turn comes, when the handshake says what it waits for.
            watch?.wait(for: [])
            scheduler.enqueue(self, from: source)
        case .open, .noticed, .draining:
            if readiness.contains(.writable) { flush() }
            if readiness.contains(.readable) { read() }
        case .closed: break
        }
    }

    private func advanceHandshake() {
        handshakeAdvanced(Result { try channel.handshake() })
    }

    /// Takes what a step of the TLS handshake came to.
    func handshakeAdvanced(_ outcome: Result<Channel.Progress, any Error>) {
        guard case .handshaking = state else { return }
        do {
            switch try outcome.get() {
            case .wait(let readiness): watch?.wait(for: readiness)
            case .end: close(TLSError(.protocolMismatch, "the peer closed during the handshake"))
            case .done:
                state = .open
                watch?.wait(for: .readable)
                roundTrip.sendSettings(at: .now)
                flush()
                read()
            }
        } catch {
            close(error)
        }
    }
}
