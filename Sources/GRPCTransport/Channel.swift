import COpenSSL
import Glibc
import SystemIO

/// A connected socket, with TLS over it or not; never blocks.
@EventLoop
final class Channel {
    /// The outcome of a call that may have to wait for the socket.
    enum Progress: Equatable, Sendable {
        case done(Int)
        /// The peer has closed its side properly.
        case end
        case wait(Readiness)
    }

    private let socket: StreamSocket
    private let session: OpaquePointer?
    /// Keeps the SSL_CTX for as long as the session.
    private let context: TLSContext?
    private let isServer: Bool
    /// Lives as long as the session, which has an unretained pointer to it.
    private let handshakeMessages = HandshakeMessages()
    /// Whether another thread goes on with the handshake, so that nothing here may touch the session.
    private var isHandshakeElsewhere = false

    nonisolated let remotePeer: String
    nonisolated let localPeer: String

    var number: CInt { socket.number }

    /// Without TLS.
    init(_ socket: consuming StreamSocket) {
        remotePeer = socket.peerName()
        localPeer = socket.localName()
        self.socket = socket
        session = nil
        context = nil
        isServer = false
    }

    /// With TLS; the handshake follows.
    ///
    /// - Parameter serverName: the name or number that the server's certificate must carry; nil
    ///   on the server.
    init(
        _ socket: consuming StreamSocket, context: TLSContext, serverName: String?
    ) throws(TLSError) {
        guard let session = SSL_new(context.pointer) else {
            throw TLSError(.configuration, "OpenSSL: \(TLSContext.lastError())")
        }
        remotePeer = socket.peerName()
        localPeer = socket.localName()
        let number = socket.number
        self.socket = socket
        self.session = session
        self.context = context
        isServer = serverName == nil
        handshakeMessages.attach(to: session)
        SSL_set_fd(session, number)
        guard let serverName else {
            SSL_set_accept_state(session)
            return
        }
        SSL_set_connect_state(session)
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), serverName) != 1 {
            ERR_clear_error()
            SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            guard SSL_set1_host(session, serverName) == 1,
                cz_ssl_set_server_name(session, serverName) == 1
            else {
                throw TLSError(.configuration, "'\(serverName)' cannot be a server's name")
            }
        }
    }

    isolated deinit {
        if let session { SSL_free(session) }
    }

    /// Whether the bytes are encrypted.
    var isSecure: Bool { session != nil }

    /// Who is at the other end of a unix socket.
    var peerCredentials: PeerCredentials? {
        remotePeer.hasPrefix("unix:") ? try? socket.peerCredentials() : nil
    }

    /// What the peer's verified certificate says.
    var peerCertificate: PeerCertificate? {
        guard let session, let certificate = SSL_get0_peer_certificate(session) else { return nil }
        return PeerCertificate(certificate)
    }

    /// Goes on with the TLS handshake; without TLS it is done at once.
    ///
    /// - Throws: `TLSError`, or `SystemError` when the connection broke.
    func handshake() throws -> Progress {
        guard let session else { return .done(0) }
        return try Handshake(of: self, session, handshakeMessages, isServer: isServer).advance()
    }

    /// Lends the handshake to another thread until ``handshakeReturned()``; nil without TLS.
    func lendHandshake() -> Handshake? {
        guard let session else { return nil }
        isHandshakeElsewhere = true
        return Handshake(of: self, session, handshakeMessages, isServer: isServer)
    }

    /// The other thread is done with it.
    func handshakeReturned() { isHandshakeElsewhere = false }

    /// The handshake of a channel.
    ///
    /// `@unchecked Sendable`: the channel, which it keeps alive, does not touch the session while
    /// the handshake is lent: it reads and writes only when the handshake is complete, and does not
    /// shut TLS down. It is lent to one thread at a time, handed over in both directions with a lock.
    struct Handshake: @unchecked Sendable {
        private let channel: Channel
        private let session: OpaquePointer
        private let messages: HandshakeMessages
        private let isServer: Bool

        fileprivate init(
            of channel: Channel, _ session: OpaquePointer, _ messages: HandshakeMessages,
            isServer: Bool
        ) {
            self.channel = channel
            self.session = session
            self.messages = messages
            self.isServer = isServer
        }

        /// Goes on as far as what has come allows.
        ///
        /// - Throws: `TLSError`, or `SystemError` when the connection broke.
        func advance() throws -> Progress {
            ERR_clear_error()
            let result = SSL_do_handshake(session)
            if result != 1 {
                return try Channel.progress(
                    of: session, result, "SSL_do_handshake", isServer: isServer)
            }
            var name: UnsafePointer<UInt8>?
            var length: UInt32 = 0
            SSL_get0_alpn_selected(session, &name, &length)
            guard UnsafeBufferPointer(start: name, count: Int(length)).elementsEqual("h2".utf8)
            else {
                throw TLSError(.protocolMismatch, "the peer does not offer HTTP/2 (ALPN h2)")
            }
            messages.handshakeCompleted(at: .now)
            return .done(0)
        }
    }

    /// - Throws: `TLSError`, `SystemError`, or `PeerViolation` when the peer sends too many
    ///   handshake messages.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Progress {
        guard let session else {
            guard let count = try socket.read(into: buffer) else { return .wait(.readable) }
            return count == 0 ? .end : .done(count)
        }
        ERR_clear_error()
        var count = 0
        let result = SSL_read_ex(session, buffer.baseAddress, buffer.count, &count)
        try handshakeMessages.check()
        return result == 1
            ? .done(count) : try Self.progress(of: session, result, "SSL_read", isServer: isServer)
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws -> Progress {
        guard let session else {
            guard let count = try socket.write(buffer) else { return .wait(.writable) }
            return .done(count)
        }
        ERR_clear_error()
        var count = 0
        let result = SSL_write_ex(session, buffer.baseAddress, buffer.count, &count)
        return result == 1
            ? .done(count) : try Self.progress(of: session, result, "SSL_write", isServer: isServer)
    }

    /// Says goodbye, as far as that goes without waiting.
    func shutdown() {
        if let session, !isHandshakeElsewhere, SSL_is_init_finished(session) == 1 {
            ERR_clear_error()
            _ = SSL_shutdown(session)
        }
        socket.shutdownWriting()
    }

    private nonisolated static func progress(
        of session: OpaquePointer, _ result: CInt, _ call: String, isServer: Bool
    ) throws -> Progress {
        let code = errno
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .wait(.readable)
        case SSL_ERROR_WANT_WRITE: return .wait(.writable)
        case SSL_ERROR_ZERO_RETURN: return .end
        case SSL_ERROR_SYSCALL:
            ERR_clear_error()
            throw SystemError(call, code: code == 0 ? ECONNRESET : code)
        default: throw failure(of: session, isServer: isServer)
        }
    }

    /// What a peer says that does not like our certificate, or misses it (RFC 8446, section 6).
    private nonisolated static let certificateAlerts: Set<CInt> = [42, 43, 44, 45, 46, 48, 116]

    private nonisolated static func failure(
        of session: OpaquePointer, isServer: Bool
    ) -> TLSError {
        let error = ERR_peek_last_error()
        let reason = TLSContext.lastError()
        let verdict = SSL_get_verify_result(session)
        if cz_error_is_ssl(error) != 0, cz_error_reason(error) == SSL_R_CERTIFICATE_VERIFY_FAILED {
            let whose = isServer ? "the client's" : "the server's"
            let text = String(cString: X509_verify_cert_error_string(verdict))
            return TLSError(.untrustedPeer, "\(whose) certificate is not trusted: \(text)")
        }
        // OpenSSL numbers an alert from the peer 1000 + its code.
        if cz_error_is_ssl(error) != 0, cz_error_reason(error) >= SSL_AD_REASON_OFFSET {
            let alert = cz_error_reason(error) - SSL_AD_REASON_OFFSET
            let whose = isServer ? "the server's" : "the client's"
            return TLSError(
                .refusedByPeer,
                certificateAlerts.contains(alert)
                    ? "the peer refused \(whose) certificate: \(reason)"
                    : "the peer refused TLS: \(reason)")
        }
        return TLSError(.protocolMismatch, "TLS failed: \(reason)")
    }
}
