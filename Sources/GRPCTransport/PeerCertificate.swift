import COpenSSL
import Glibc

/// Who the peer's verified certificate says it is.
public struct PeerCertificate: Hashable, Sendable {
    /// The subject alternative names that are URIs, such as SPIFFE IDs, in their order. Nothing
    /// says that they are valid.
    public var uriNames: [String]
    /// The subject alternative names that are DNS names, in their order. Likewise.
    public var dnsNames: [String]
    /// The subject's distinguished name as RFC 2253 writes it.
    public var subject: String

    /// Reads the names out of a certificate, which stays the caller's.
    init(_ certificate: OpaquePointer) {
        uriNames = []
        dnsNames = []
        subject = Self.subject(of: certificate)
        guard let extensionData = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil)
        else { return }
        let names = OpaquePointer(extensionData)
        defer { cz_general_names_free(names) }
        for index in 0..<cz_general_name_count(names) {
            var isURI: CInt = 0
            guard let name = cz_general_name(names, index),
                let text = cz_general_name_text(name, &isURI),
                let bytes = ASN1_STRING_get0_data(text)
            else { continue }
            // As it is, zero bytes included: the reader judges what is a name.
            let buffer = UnsafeBufferPointer(start: bytes, count: Int(ASN1_STRING_length(text)))
            let value = String(decoding: buffer, as: UTF8.self)
            if isURI != 0 { uriNames.append(value) } else { dnsNames.append(value) }
        }
    }

    private static func subject(of certificate: OpaquePointer) -> String {
        printed { cz_print_subject($0, certificate) }
    }

    /// What a function of OpenSSL prints; empty when it fails.
    static func printed(_ print: (OpaquePointer) -> CInt) -> String {
        guard let memory = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(memory) }
        guard print(memory) >= 0 else { return "" }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256)
        while true {
            let count = BIO_read(memory, &chunk, CInt(chunk.count))
            guard count > 0 else { break }
            text.append(contentsOf: chunk[..<Int(count)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
