import COpenSSL

/// A public key that signatures are checked with: ECDSA over P-256, what cosign makes.
public final class VerificationKey {
    /// What is wrong with a key's file.
    public struct Flaw: Error, Hashable, Sendable, CustomStringConvertible {
        public var description: String
    }

    private let pointer: OpaquePointer

    /// OpenSSL's name for P-256.
    private static let curve = "prime256v1"

    /// Reads a PEM file's content.
    ///
    /// - Throws: ``Flaw``.
    public init(pem: [UInt8]) throws(Flaw) {
        defer { ERR_clear_error() }
        guard let input = BIO_new_mem_buf(pem, CInt(clamping: pem.count)) else {
            throw Flaw(description: "there is no memory to read it")
        }
        defer { BIO_free(input) }
        guard let key = PEM_read_bio_PUBKEY(input, nil, nil, nil) else {
            throw Flaw(description: "there is no public key in it")
        }
        do throws(Flaw) {
            try Self.requireCurve(of: key)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        pointer = key
    }

    deinit { EVP_PKEY_free(pointer) }

    private static func requireCurve(of key: OpaquePointer) throws(Flaw) {
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_EC else {
            throw Flaw(description: "its key is not for ECDSA, and nothing else is supported")
        }
        var name = [CChar](repeating: 0, count: 64)
        var length = 0
        guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else {
            throw Flaw(description: "its key is on a curve without a name")
        }
        let group = String(decoding: name[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard group == curve else {
            throw Flaw(description: "its key is on the curve \(group), not on P-256")
        }
    }

    /// Whether `signature`, in DER, is this key's of the SHA-256 of `message`.
    public func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            // A signature that is none leaves errors behind.
            ERR_clear_error()
        }
        return EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, pointer) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}
