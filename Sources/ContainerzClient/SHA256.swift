import COpenSSL

/// SHA-256 over bytes as they go by.
public struct SHA256: ~Copyable {
    private let context: OpaquePointer

    init() {
        // Fails only without memory, or where the system's policy forbids SHA-2 altogether.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { fatalError("OpenSSL has no SHA-256") }
        self.context = context
    }

    /// `sha256:…` of so many bytes.
    public static func digest(of bytes: [UInt8]) -> String {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    deinit { EVP_MD_CTX_free(context) }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// `sha256:…`
    consuming func finish() -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        _ = EVP_DigestFinal_ex(context, &bytes, nil)
        return "sha256:"
            + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
