import COpenSSL
import Glibc

/// The one owner of an SSL_CTX: certificates, keys and rules that many sessions share.
final class TLSContext {
    let pointer: OpaquePointer

    /// The forward-secret AEAD suites of TLS 1.2 (RFC 7540 forbids nearly all others); those of
    /// TLS 1.3 are OpenSSL's own choice.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
    /// The groups of the key exchange, in order of preference: Mozilla's intermediate
    /// configuration. OpenSSL's default adds ffdhe2048 to ffdhe8192, whose keys cost the server up
    /// to 200 times as much, for a ClientHello that an attacker only has to replay
    /// (CVE-2002-20001, CVE-2022-40735).
    static let groups = ["X25519", "P-256", "P-384"]
    /// Intermediate certificates between the peer's and a trusted one; real chains have up to 3.
    private static let maxChainDepth: CInt = 8
    /// The largest Certificate message, in bytes: a chain of ten certificates.
    private static let maxCertificateListSize = 32 << 10
    /// `h2` as ALPN writes it: a length and the name.
    private static let applicationProtocols: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]

    /// For a server.
    ///
    /// - Throws: `TLSError` of kind `configuration`, naming the file.
    static func server(_ configuration: TLSConfiguration) throws(TLSError) -> TLSContext {
        guard configuration.certificateChain != nil, configuration.privateKey != nil else {
            throw TLSError(.configuration, "a server needs a certificate and its key")
        }
        let context = try TLSContext(TLS_server_method(), configuration)
        if let authorities = configuration.authorities {
            SSL_CTX_set_client_CA_list(context.pointer, SSL_load_client_CA_file(authorities))
            let required = configuration.requiresClientCertificate
            SSL_CTX_set_verify(
                context.pointer,
                SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nil)
        }
        SSL_CTX_set_num_tickets(context.pointer, 0)
        SSL_CTX_set_alpn_select_cb(
            context.pointer,
            { _, selected, length, offered, offeredLength, _ in
                let ours = TLSContext.applicationProtocols
                var offered = UnsafeBufferPointer(start: offered, count: Int(offeredLength))[...]
                while let count = offered.first, offered.count > Int(count) {
                    let name = offered.dropFirst().prefix(Int(count))
                    if name.elementsEqual(ours.dropFirst()), let base = name.base.baseAddress {
                        selected?.pointee = base + name.startIndex
                        length?.pointee = count
                        return SSL_TLSEXT_ERR_OK
                    }
                    offered = offered.dropFirst(1 + Int(count))
                }
                return SSL_TLSEXT_ERR_ALERT_FATAL
            }, nil)
        return context
    }

    /// For a client.
    ///
    /// - Throws: `TLSError` of kind `configuration`, naming the file.
    static func client(_ configuration: TLSConfiguration) throws(TLSError) -> TLSContext {
        let context = try TLSContext(TLS_client_method(), configuration)
        if configuration.authorities == nil { SSL_CTX_set_default_verify_paths(context.pointer) }
        SSL_CTX_set_verify(context.pointer, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_alpn_protos(
            context.pointer, applicationProtocols, UInt32(applicationProtocols.count))
        return context
    }

    /// What both ends have in common.
    private init(
        _ method: OpaquePointer?, _ configuration: TLSConfiguration
    ) throws(TLSError) {
        // Writing to a connection the peer has closed is an error to report, not a signal to
        // die of; OpenSSL's socket BIO uses write(2), which cannot ask for that itself.
        signal(SIGPIPE, SIG_IGN)
        guard let pointer = SSL_CTX_new(method) else {
            throw TLSError(.configuration, "OpenSSL: \(Self.lastError())")
        }
        self.pointer = pointer
        guard cz_ssl_ctx_configure(pointer) == 1,
            SSL_CTX_set_cipher_list(pointer, Self.ciphers) == 1
        else { throw TLSError(.configuration, "OpenSSL: \(Self.lastError())") }
        try restrictGroups()
        SSL_CTX_set_verify_depth(pointer, Self.maxChainDepth)
        cz_ssl_ctx_set_max_certificate_list(pointer, Self.maxCertificateListSize)
        HandshakeMessages.count(on: pointer)
        if configuration.minimumVersion == .tls13 { _ = cz_ssl_ctx_require_tls13(pointer) }
        if let chain = configuration.certificateChain {
            guard let key = configuration.privateKey else {
                throw TLSError(.configuration, "\(chain): the certificate's key is not given")
            }
            try use(chain: chain, key: key)
        }
        if let authorities = configuration.authorities { try trust(authorities) }
        if let lists = configuration.revocationLists { try check(revoked: lists) }
    }

    deinit { SSL_CTX_free(pointer) }

    /// Uses those of the groups that OpenSSL has: a build or a configuration for FIPS may lack
    /// X25519, and one unknown name would make it reject the whole list.
    private func restrictGroups() throws(TLSError) {
        let available = Self.groups.filter { cz_ssl_ctx_set_groups(pointer, $0) == 1 }
        ERR_clear_error()
        guard !available.isEmpty,
            cz_ssl_ctx_set_groups(pointer, available.joined(separator: ":")) == 1
        else {
            let names = Self.groups.joined(separator: ", ")
            throw TLSError(.configuration, "OpenSSL supports none of the groups \(names)")
        }
    }

    private func use(chain: String, key: String) throws(TLSError) {
        try Self.requireReadable(chain)
        try Self.requireReadable(key)
        guard SSL_CTX_use_certificate_chain_file(pointer, chain) == 1 else {
            throw TLSError(.configuration, "\(chain): no certificate in it: \(Self.lastError())")
        }
        // Without this OpenSSL would ask for a passphrase on the terminal.
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
        guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1 else {
            if cz_error_is_key_mismatch(ERR_peek_last_error()) != 0 {
                ERR_clear_error()
                throw TLSError(.configuration, "\(key): is not the key of \(chain)")
            }
            let reason = Self.lastError()
            throw TLSError(
                .configuration,
                "\(key): no key in it that can be read without a passphrase: \(reason)")
        }
    }

    private func trust(_ authorities: String) throws(TLSError) {
        try Self.requireReadable(authorities)
        guard SSL_CTX_load_verify_file(pointer, authorities) == 1 else {
            throw TLSError(
                .configuration, "\(authorities): no certificate in it: \(Self.lastError())")
        }
    }

    private func check(revoked lists: String) throws(TLSError) {
        try Self.requireReadable(lists)
        let store = SSL_CTX_get_cert_store(pointer)
        guard let lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file()),
            X509_load_crl_file(lookup, lists, X509_FILETYPE_PEM) > 0
        else {
            throw TLSError(
                .configuration, "\(lists): no revocation list in it: \(Self.lastError())")
        }
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL))
    }

    /// OpenSSL's words for a missing file are poor, so the usual reasons are found out first.
    private static func requireReadable(_ path: String) throws(TLSError) {
        guard access(path, R_OK) != 0 else { return }
        throw TLSError(.configuration, "\(path): \(String(cString: strerror(errno)))")
    }

    /// Takes the reason of the latest failure and empties OpenSSL's queue of errors.
    static func lastError() -> String {
        let error = ERR_peek_last_error()
        ERR_clear_error()
        guard error != 0, let reason = ERR_reason_error_string(error) else {
            return "unknown error"
        }
        return String(cString: reason)
    }
}
