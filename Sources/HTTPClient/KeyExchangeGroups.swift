import COpenSSL

/// The groups of the TLS key exchange. OpenSSL's default includes ffdhe8192, with which a server
/// can make each connection cost a tenth of a second of processor time.
enum KeyExchangeGroups {
    /// In order of preference, as libcurl expects them. X25519 is left out where OpenSSL does not
    /// have it, for instance in FIPS mode: an unknown name would make every request fail.
    static let available: String = {
        let method = EVP_KEYMGMT_fetch(nil, "X25519", nil)
        EVP_KEYMGMT_free(method)
        ERR_clear_error()
        return (method == nil ? "" : "X25519:") + "P-256:P-384"
    }()
}
