import FoundationEssentials
import OCI
import Testing

@testable import CosignSignature

@Suite("Signatures as cosign makes them", .serialized)
struct SignatureTests {
    private let signer: Signer
    private let image: Digest
    private let manifest: [UInt8]
    private let keys: [VerificationKey]

    init() throws {
        signer = try Signer()
        image = try signer.digest(Array("configuration".utf8))
        manifest = Array(
            """
            {"schemaVersion": 2, "layers": [], "config":
             {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "\(image)", "size": 1}}
            """.utf8)
        keys = [try VerificationKey(pem: signer.publicKey("ours"))]
    }

    private func payload(
        for digest: Digest, type: String = "cosign container image signature"
    ) -> [UInt8] {
        Array(
            """
            {"critical":{"identity":{"docker-reference":"registry.example/apps/web"},\
            "image":{"docker-manifest-digest":"\(digest)"},"type":"\(type)"},"optional":null}
            """.utf8)
    }

    private func evidence(
        _ payload: [UInt8], by name: String = "ours", hash: String = "sha256",
        manifest: [UInt8]? = nil, index: [UInt8]? = nil
    ) throws -> SignatureEvidence {
        SignatureEvidence(
            manifest: manifest ?? self.manifest, index: index, payload: payload,
            signature: try signer.sign(payload, by: name, hash))
    }

    private func flaw(_ evidence: SignatureEvidence, _ image: Digest? = nil) -> SignatureEvidence
        .Flaw?
    {
        do throws(SignatureEvidence.Flaw) {
            try evidence.verify(image ?? self.image, with: keys)
            return nil
        } catch {
            return error
        }
    }

    @Test("One by our key, of the manifest, is good")
    func good() throws {
        let good = try evidence(payload(for: try signer.digest(manifest)))
        #expect(flaw(good) == nil)
        #expect(good.hasSensibleSize)
        let theirs = try VerificationKey(pem: signer.publicKey("theirs"))
        try good.verify(image, with: [theirs] + keys)
        #expect(throws: SignatureEvidence.Flaw.noKeyFits) { try good.verify(image, with: [theirs]) }
        #expect(throws: SignatureEvidence.Flaw.noKeyFits) { try good.verify(image, with: []) }
    }

    @Test("One of an index is good for the manifests in it")
    func index() throws {
        let index = Array(
            #"{"manifests": [{"digest": "\#(try signer.digest(manifest))", "size": 1}]}"#.utf8)
        let signed = payload(for: try signer.digest(index))
        #expect(try flaw(evidence(signed, index: index)) == nil)
        let others = Array(#"{"manifests": [{"digest": "\#(image)", "size": 1}]}"#.utf8)
        #expect(
            try flaw(evidence(payload(for: signer.digest(others)), index: others)) == .otherImage)
        // An index that was not signed.
        #expect(try flaw(evidence(signed, index: others)) == .otherImage)
        #expect(
            try flaw(evidence(payload(for: signer.digest(manifest)), index: index)) == .otherImage)
        #expect(try flaw(evidence(signed)) == .otherImage)
    }

    @Test(
        "By another key, with another hash, or changed it is none", arguments: ["theirs", "p384"])
    func forged(_ key: String) throws {
        let good = payload(for: try signer.digest(manifest))
        #expect(try flaw(evidence(good, by: key)) == .noKeyFits)
        #expect(try flaw(evidence(good, hash: "sha512")) == .noKeyFits)
        var changed = try evidence(good)
        changed.payload.append(UInt8(ascii: " "))
        #expect(flaw(changed) == .noKeyFits)
        changed = try evidence(good)
        changed.signature[10] ^= 1
        #expect(flaw(changed) == .noKeyFits)
        for signature in [[], [0], [0x30, 0], [UInt8](repeating: 0xFF, count: 72)] {
            changed.signature = signature
            #expect(flaw(changed) == .noKeyFits)
        }
    }

    @Test("For another image it says nothing of this one")
    func other() throws {
        let digest = try signer.digest(manifest)
        let good = try evidence(payload(for: digest))
        #expect(flaw(good, digest) == .otherImage)
        // Somebody else's manifest, which names another configuration.
        var swapped = good
        swapped.manifest += [UInt8(ascii: "\n")]
        #expect(flaw(swapped) == .otherImage)
    }

    @Test("What was signed has to be a payload of cosign's")
    func payloads() throws {
        let digest = try signer.digest(manifest)
        #expect(
            try flaw(evidence(payload(for: digest, type: "atomic container signature")))
                == .malformed("payload"))
        for text in ["", "{}", "[]", #"{"critical": {}}"#, "\(digest)"] {
            #expect(try flaw(evidence(Array(text.utf8))) == .malformed("payload"))
        }
        let nothing = Array("{}".utf8)
        #expect(
            try flaw(evidence(payload(for: signer.digest(nothing)), manifest: nothing))
                == .malformed("manifest"))
        #expect(
            try flaw(evidence(payload(for: signer.digest(nothing)), index: nothing))
                == .malformed("index"))
    }

    @Test(
        "Only keys for ECDSA on P-256",
        arguments: [
            ("p384", "secp384r1"), ("k1", "secp256k1"), ("rsa", "not for ECDSA"),
            ("edwards", "not for ECDSA"),
        ])
    func keyKinds(_ name: String, _ reason: String) throws {
        let pem = try signer.publicKey(name)
        let flaw = #expect(throws: VerificationKey.Flaw.self) { try VerificationKey(pem: pem) }
        #expect(flaw?.description.contains(reason) == true)
    }

    @Test("What is no public key is said to be none")
    func noKey() throws {
        for pem in [[], Array("hello".utf8), try signer.read("ours.key")] {
            let flaw = #expect(throws: VerificationKey.Flaw.self) { try VerificationKey(pem: pem) }
            #expect(flaw?.description == "there is no public key in it")
        }
    }

    @Test("More than any signature needs is not kept")
    func sizes() throws {
        var large = SignatureEvidence(manifest: [], index: nil, payload: [], signature: [])
        #expect(large.hasSensibleSize)
        large.payload = [UInt8](repeating: 0, count: SignatureEvidence.largestPayload + 1)
        #expect(!large.hasSensibleSize)
    }
}
