import COpenSSL

/// A list of revoked certificates, as far as its keeper has to know it.
public struct RevocationList: Hashable, Sendable {
    /// Whose certificates it is about, as RFC 2253 writes it.
    public var issuer: String
    /// Time until the next one is due, negative when that has passed: from then on nobody of this
    /// issuer is let in any more. nil when it does not say.
    public var validity: Duration?

    /// Reads all lists of a PEM file.
    ///
    /// - Throws: `TLSError` of kind `configuration`, naming the file.
    public static func read(_ path: String) throws(TLSError) -> [RevocationList] {
        guard let file = BIO_new_file(path, "r") else {
            throw TLSError(.configuration, "\(path): \(TLSContext.lastError())")
        }
        defer { BIO_free(file) }
        var lists: [RevocationList] = []
        while let list = PEM_read_bio_X509_CRL(file, nil, nil, nil) {
            lists.append(RevocationList(list))
            X509_CRL_free(list)
        }
        // There being no more is an error to OpenSSL.
        ERR_clear_error()
        return lists
    }

    private init(_ list: OpaquePointer) {
        issuer = PeerCertificate.printed { cz_print_crl_issuer($0, list) }
        var days: CInt = 0
        var seconds: CInt = 0
        guard let next = X509_CRL_get0_nextUpdate(list),
            ASN1_TIME_diff(&days, &seconds, nil, next) == 1
        else { return }
        validity = .seconds(Int64(days) * 86_400 + Int64(seconds))
    }
}
