import COpenSSL
import Glibc

/// The one owner of a certificate (RFC 5280).
struct Certificate: ~Copyable {
    let pointer: OpaquePointer

    /// What a certificate is for.
    enum Purpose {
        /// Signing the others.
        case authority
        /// - alternativeNames: as OpenSSL's configuration writes them.
        case server(alternativeNames: String)
        /// - uri: who the client is.
        case client(uri: String)
    }

    /// For clocks that are late.
    private static let backdating = -3600
    private static let serialBytes = 16
    /// X509_set_version(3) counts from 0.
    private static let version3 = 2

    /// An empty one.
    private init() throws(LabFailure) {
        guard let pointer = X509_new() else { throw LabFailure.openSSL("make a certificate") }
        self.pointer = pointer
    }

    init(pem: [UInt8]) throws(LabFailure) {
        let buffer = try PEMBuffer(pem)
        guard let pointer = PEM_read_bio_X509(buffer.pointer, nil, nil, nil) else {
            throw LabFailure.openSSL("read the certificate")
        }
        self.pointer = pointer
    }

    deinit { X509_free(pointer) }

    func pem() throws(LabFailure) -> [UInt8] {
        let buffer = try PEMBuffer()
        guard PEM_write_bio_X509(buffer.pointer, pointer) == 1 else {
            throw LabFailure.openSSL("write the certificate")
        }
        return buffer.content()
    }

    // MARK: Making

    /// One that signs itself.
    static func authority(
        _ name: String, _ key: borrowing PrivateKey, days: Int
    ) throws(LabFailure) -> Certificate {
        let certificate = try Certificate()
        try certificate.fill(name, key, days)
        try certificate.add(.authority, issuer: certificate.pointer)
        try certificate.sign(issuer: certificate.pointer, key)
        return certificate
    }

    /// One that an authority signs; it is valid no longer than that.
    static func issued(
        by authority: borrowing Certificate, _ authorityKey: borrowing PrivateKey,
        _ name: String, _ key: borrowing PrivateKey, for purpose: Purpose, days: Int
    ) throws(LabFailure) -> Certificate {
        let certificate = try Certificate()
        try certificate.fill(name, key, days)
        if let end = X509_get0_notAfter(authority.pointer),
            ASN1_TIME_compare(end, X509_get0_notAfter(certificate.pointer)) < 0
        {
            guard X509_set1_notAfter(certificate.pointer, end) == 1 else {
                throw LabFailure.openSSL("set the certificate's end")
            }
        }
        try certificate.add(purpose, issuer: authority.pointer)
        try certificate.sign(issuer: authority.pointer, authorityKey)
        return certificate
    }

    /// All but the extensions and the signature.
    private func fill(
        _ name: String, _ key: borrowing PrivateKey, _ days: Int
    ) throws(LabFailure) {
        guard X509_set_version(pointer, Self.version3) == 1, setSerialNumber(), setSubject(name),
            X509_gmtime_adj(X509_getm_notBefore(pointer), Self.backdating) != nil,
            X509_time_adj_ex(X509_getm_notAfter(pointer), CInt(clamping: days), 0, nil) != nil,
            X509_set_pubkey(pointer, key.pointer) == 1
        else { throw LabFailure.openSSL("fill in the certificate") }
    }

    /// A random one that is positive (RFC 5280, section 4.1.2.2).
    private func setSerialNumber() -> Bool {
        var bytes = [UInt8](repeating: 0, count: Self.serialBytes)
        guard RAND_bytes(&bytes, CInt(bytes.count)) == 1 else { return false }
        bytes[0] = bytes[0] & 0x7F | 0x40
        guard let number = BN_bin2bn(bytes, CInt(bytes.count), nil) else { return false }
        defer { BN_free(number) }
        return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil
    }

    private func setSubject(_ name: String) -> Bool {
        guard let subject = X509_NAME_new() else { return false }
        defer { X509_NAME_free(subject) }
        let text = Array(name.utf8)
        return X509_NAME_add_entry_by_NID(
            subject, NID_commonName, cz_utf8_string, text, CInt(text.count), -1, 0) == 1
            && X509_set_subject_name(pointer, subject) == 1
    }

    private func sign(
        issuer: OpaquePointer, _ key: borrowing PrivateKey
    ) throws(LabFailure) {
        guard X509_set_issuer_name(pointer, X509_get_subject_name(issuer)) == 1,
            X509_sign(pointer, key.pointer, EVP_sha256()) > 0
        else { throw LabFailure.openSSL("sign the certificate") }
    }

    // MARK: Extensions

    private func add(_ purpose: Purpose, issuer: OpaquePointer) throws(LabFailure) {
        // First of all, since the authority's own identifier below is taken from it.
        try add(NID_subject_key_identifier, "hash", issuer)
        try add(NID_authority_key_identifier, "keyid:always", issuer)
        switch purpose {
        case .authority:
            try add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", issuer)
            try add(NID_key_usage, "critical,keyCertSign,cRLSign", issuer)
        case .server(let alternativeNames):
            try addLeaf("serverAuth", alternativeNames, issuer)
        case .client(let uri):
            try addLeaf("clientAuth", "URI:\(uri)", issuer)
        }
    }

    private func addLeaf(
        _ extendedUsage: String, _ alternativeNames: String, _ issuer: OpaquePointer
    ) throws(LabFailure) {
        try add(NID_basic_constraints, "critical,CA:FALSE", issuer)
        try add(NID_key_usage, "critical,digitalSignature", issuer)
        try add(NID_ext_key_usage, extendedUsage, issuer)
        try add(NID_subject_alt_name, alternativeNames, issuer)
    }

    /// - Parameter value: as x509v3_config(5) has it.
    private func add(
        _ kind: CInt, _ value: String, _ issuer: OpaquePointer
    ) throws(LabFailure) {
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer, pointer, nil, nil, 0)
        guard let made = X509V3_EXT_conf_nid(nil, &context, kind, value) else {
            throw LabFailure.openSSL("make the extension \(value)")
        }
        defer { X509_EXTENSION_free(made) }
        guard X509_add_ext(pointer, made, -1) == 1 else {
            throw LabFailure.openSSL("add the extension \(value)")
        }
    }

    // MARK: Looking

    func belongs(to key: borrowing PrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(pointer, key.pointer) == 1
    }

    var hasExpired: Bool {
        X509_cmp_current_time(X509_get0_notAfter(pointer)) <= 0
    }

    /// The names that a server's certificate is for.
    var serverNames: [ServerName] {
        guard let data = X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else {
            return []
        }
        let names = OpaquePointer(data)
        defer { cz_general_names_free(names) }
        return (0..<cz_general_name_count(names)).compactMap { index in
            cz_general_name(names, index).flatMap(Self.serverName)
        }
    }

    private static func serverName(_ name: UnsafeMutablePointer<GENERAL_NAME>) -> ServerName? {
        if let address = cz_general_name_address(name) {
            return text(address).flatMap { bytes in
                // The longest text of an address, and the zero behind it.
                var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
                let family = bytes.count == 4 ? AF_INET : AF_INET6
                guard bytes.count == 4 || bytes.count == 16,
                    inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil
                else { return nil }
                return ServerName(
                    String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
            }
        }
        var isURI: CInt = 0
        guard let name = cz_general_name_text(name, &isURI), isURI == 0 else { return nil }
        return text(name).flatMap { ServerName(String(decoding: $0, as: UTF8.self)) }
    }

    private static func text(_ string: UnsafePointer<ASN1_STRING>) -> [UInt8]? {
        ASN1_STRING_get0_data(string).map {
            Array(UnsafeBufferPointer(start: $0, count: Int(ASN1_STRING_length(string))))
        }
    }
}
