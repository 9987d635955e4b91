import ContentDigest
import FoundationEssentials
import OCI

/// A signature as cosign makes it, with all that leads from it to an image: it signs a payload,
/// which names the digest of a manifest, or of an index that lists the manifest, which names the
/// image's configuration. Nothing of it is to be believed before ``verify(_:with:)``.
public struct SignatureEvidence: Hashable, Sendable {
    public var manifest: [UInt8]
    /// nil where the manifest itself was signed.
    public var index: [UInt8]?
    public var payload: [UInt8]
    /// In DER.
    public var signature: [UInt8]

    /// A manifest has a line for each of at most 127 layers.
    public static let largestDocument = 256 << 10
    /// A payload names one digest, and what whoever signed it liked to add.
    public static let largestPayload = 64 << 10
    /// In DER, of P-256: never longer than 72 bytes.
    public static let largestSignature = 128

    public init(manifest: [UInt8], index: [UInt8]?, payload: [UInt8], signature: [UInt8]) {
        self.manifest = manifest
        self.index = index
        self.payload = payload
        self.signature = signature
    }

    /// Why it does not show that an image was signed.
    public enum Flaw: Error, Hashable, Sendable, CustomStringConvertible {
        case noKeyFits
        case malformed(String)
        /// It is for something else.
        case otherImage

        public var description: String {
            switch self {
            case .noKeyFits: "no signature is by one of the keys"
            case .malformed(let part): "the \(part) of its signature is malformed"
            case .otherImage: "its signature is for another image"
            }
        }
    }

    /// Whether its parts are no larger than they may be.
    public var hasSensibleSize: Bool {
        manifest.count <= Self.largestDocument && (index?.count ?? 0) <= Self.largestDocument
            && payload.count <= Self.largestPayload && signature.count <= Self.largestSignature
    }

    /// Succeeds when one of the keys signed the image whose configuration has this digest.
    ///
    /// - Throws: ``Flaw``.
    public func verify(_ image: Digest, with keys: [VerificationKey]) throws(Flaw) {
        guard keys.contains(where: { $0.verifies(signature, of: payload) }) else {
            throw .noKeyFits
        }
        // Only now is the payload what somebody signed.
        let claim = try Self.decode(Payload.self, payload, "payload").critical
        guard claim.type == Payload.type else { throw .malformed("payload") }
        let signed = claim.image.digest
        if let index {
            guard ContentHash.digest(of: index) == signed else { throw .otherImage }
            let listed = try Self.decode(Index.self, index, "index").manifests
            guard listed.contains(where: { $0.digest == ContentHash.digest(of: manifest) }) else {
                throw .otherImage
            }
        } else {
            guard ContentHash.digest(of: manifest) == signed else { throw .otherImage }
        }
        guard try Self.decode(Manifest.self, manifest, "manifest").config.digest == image else {
            throw .otherImage
        }
    }

    /// The part of cosign's payload that counts (containers' "simple signing" format).
    private struct Payload: Decodable {
        static let type = "cosign container image signature"

        struct Critical: Decodable {
            struct Image: Decodable {
                var digest: Digest

                private enum CodingKeys: String, CodingKey {
                    case digest = "docker-manifest-digest"
                }
            }
            var image: Image
            var type: String
        }
        var critical: Critical
    }

    private static func decode<Document: Decodable>(
        _ type: Document.Type, _ bytes: [UInt8], _ part: String
    ) throws(Flaw) -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .malformed(part)
        }
    }
}
