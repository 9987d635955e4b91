import COpenSSL

/// The one owner of a private key for ECDSA over P-256.
struct PrivateKey: ~Copyable {
    let pointer: OpaquePointer

    /// Makes a new one.
    init() throws(LabFailure) {
        guard let pointer = cz_new_p256_key() else { throw LabFailure.openSSL("make a key") }
        self.pointer = pointer
    }

    init(pem: [UInt8]) throws(LabFailure) {
        let buffer = try PEMBuffer(pem)
        // An empty passphrase, so that nobody is asked for one.
        var none: CChar = 0
        guard let pointer = PEM_read_bio_PrivateKey(buffer.pointer, nil, nil, &none) else {
            throw LabFailure.openSSL("read the key")
        }
        self.pointer = pointer
    }

    deinit { EVP_PKEY_free(pointer) }

    /// PKCS #8, not encrypted.
    func pem() throws(LabFailure) -> [UInt8] {
        let buffer = try PEMBuffer()
        guard PEM_write_bio_PrivateKey(buffer.pointer, pointer, nil, nil, 0, nil, nil) == 1 else {
            throw LabFailure.openSSL("write the key")
        }
        return buffer.content()
    }
}
