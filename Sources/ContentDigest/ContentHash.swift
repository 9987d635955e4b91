import COpenSSL
import OCI

/// A hash over bytes as they go by, computed by OpenSSL.
public final class ContentHash {
    private let context: OpaquePointer
    public let algorithm: Digest.Algorithm

    public init(_ algorithm: Digest.Algorithm = .sha256) {
        self.algorithm = algorithm
        // Fails only without memory, or where the system's policy forbids SHA-2 altogether.
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1
        else { fatalError("OpenSSL has no \(algorithm.rawValue)") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    public func update(_ bytes: UnsafeRawBufferPointer) {
        _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    }

    /// The digest of all of them; nothing may follow.
    public func finish() -> Digest {
        var bytes = [UInt8](repeating: 0, count: algorithm.length)
        _ = EVP_DigestFinal_ex(context, &bytes, nil)
        return Digest(algorithm, bytes)
    }

    public static func digest(
        of bytes: [UInt8], _ algorithm: Digest.Algorithm = .sha256
    ) -> Digest {
        let hash = ContentHash(algorithm)
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }
}

extension Digest.Algorithm {
    fileprivate var implementation: OpaquePointer? {
        switch self {
        case .sha256: EVP_sha256()
        case .sha512: EVP_sha512()
        }
    }
}
