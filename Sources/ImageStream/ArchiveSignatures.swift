import FoundationEssentials
import OCI

/// What an archive holds of who signed its image. Nothing of it has been verified but digests.
public struct ArchiveSignatures: Hashable, Sendable {
    public struct Signature: Hashable, Sendable {
        /// What was signed: cosign's JSON, which names a digest.
        public var payload: [UInt8]
        public var signature: [UInt8]
    }

    /// The image's manifest, to the letter.
    public var manifest: [UInt8]
    /// The index that the manifest was found in, where one stood between.
    public var index: [UInt8]?
    public var signatures: [Signature]

    /// More than anybody has signed an image; the rest is dropped.
    static let mostSignatures = 16
}

extension ArchiveContents {
    private static let payloadType = "application/vnd.dev.cosign.simplesigning.v1+json"
    private static let signatureAnnotation = "dev.cosignproject.cosign/signature"

    /// What only says something of an image: signatures and the like, found by how cosign marks
    /// them in a layout, by its tags, or by what they refer to (OCI image spec 1.1, `subject`).
    func isAccessory(_ descriptor: Descriptor) -> Bool {
        let annotations = descriptor.annotations ?? [:]
        if annotations["vnd.docker.reference.type"] != nil || descriptor.platform?.os == "unknown" {
            return true
        }
        let prefix = "dev.cosignproject.cosign/"
        if let kind = annotations["kind"], kind.hasPrefix(prefix) {
            return kind != prefix + "image" && kind != prefix + "imageIndex"
        }
        if let name = annotations[Annotation.referenceName], Self.isCosignTag(name) {
            return true
        }
        guard let outline = outline(of: descriptor) else { return false }
        return outline.subject != nil
            || outline.layers?.contains { $0.mediaType == Self.payloadType } ?? false
    }

    /// `sha256-…`, digits, and a kind of thing.
    private static func isCosignTag(_ name: String) -> Bool {
        guard let tag = name.split(whereSeparator: { $0 == ":" || $0 == "/" }).last,
            tag.hasPrefix("sha256-"), let dot = tag.lastIndex(of: ".")
        else { return false }
        return ["sig", "att", "sbom"].contains(tag[tag.index(after: dot)...])
            && Digest(.sha256, hexadecimal: tag[..<dot].dropFirst("sha256-".count)) != nil
    }

    /// The signatures among the manifests of an index, whatever they are of.
    func signatures(
        among descriptors: [Descriptor], in file: String
    ) throws(ImageStreamError) -> [ArchiveSignatures.Signature] {
        var found: [ArchiveSignatures.Signature] = []
        for descriptor in descriptors where isAccessory(descriptor) {
            for layer in outline(of: descriptor)?.layers ?? []
            where layer.mediaType == Self.payloadType {
                guard found.count < ArchiveSignatures.mostSignatures,
                    let text = layer.annotations?[Self.signatureAnnotation],
                    let signature = Data(base64Encoded: text)
                else { continue }
                let payload = try blob(layer, namedBy: file)
                found.append(.init(payload: payload, signature: Array(signature)))
            }
        }
        return found
    }

    /// As much of a manifest as all kinds have.
    private struct Outline: Decodable {
        var subject: Descriptor?
        var layers: [Descriptor]?
    }

    private func outline(of descriptor: Descriptor) -> Outline? {
        guard let content = try? blob(descriptor, namedBy: "index.json") else { return nil }
        return try? JSONDecoder().decode(Outline.self, from: Data(content))
    }
}
