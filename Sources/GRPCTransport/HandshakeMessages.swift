import COpenSSL

/// Counts the handshake messages that a peer sends after the handshake: KeyUpdate in TLS 1.3, and
/// attempts to renegotiate, which are refused, in TLS 1.2. Each costs a few bytes to send and key
/// derivations or an alert to handle.
final class HandshakeMessages {
    /// A session changes its keys after gigabytes; a server sends a few tickets at the start.
    static let limit = RateLimit(burst: 32, perSecond: 1)

    private var received = 0
    private var bucket: TokenBucket?

    /// Has OpenSSL report the messages of a context's sessions, each to the object that
    /// ``attach(to:)`` has given it.
    static func count(on context: OpaquePointer) {
        SSL_CTX_set_msg_callback(context) { isOutgoing, _, contentType, _, _, _, argument in
            guard isOutgoing == 0, contentType == SSL3_RT_HANDSHAKE, let argument else { return }
            Unmanaged<HandshakeMessages>.fromOpaque(argument).takeUnretainedValue().received += 1
        }
    }

    /// The object must live as long as the session.
    func attach(to session: OpaquePointer) {
        cz_ssl_set_message_argument(session, Unmanaged.passUnretained(self).toOpaque())
    }

    /// The handshake is complete; its own messages do not count.
    func handshakeCompleted(at now: ContinuousClock.Instant) {
        received = 0
        bucket = TokenBucket(Self.limit, at: now)
    }

    /// Checks what came since the last call.
    ///
    /// - Throws: ``PeerViolation/tooManyHandshakeMessages(_:)``.
    func check() throws(PeerViolation) {
        // Nearly always: no look at the clock for each record.
        guard received > 0 else { return }
        let count = received
        received = 0
        let now = ContinuousClock.now
        for _ in 0..<count where bucket?.take(at: now) == false {
            throw .tooManyHandshakeMessages(Self.limit)
        }
    }
}
