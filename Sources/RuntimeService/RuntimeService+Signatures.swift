import ContainerEngine
import CosignSignature
import Logging
import OCI
import RuntimeAPI

extension RuntimeService {
    /// Keeps the signatures that came with an image, and says whether they are enough for the
    /// name it was loaded as.
    func attach(_ wanted: Runtime.AttachSignatures.Parameters) async throws {
        guard let image = Digest(wanted.image) else {
            throw RuntimeError.invalidArgument(field: "image", reason: "it is no digest")
        }
        let all = try Self.evidence(wanted)
        let evidence = all.filter(\.hasSensibleSize)
        let images = try await engines.use { try await $0.images([:]) }
        guard let found = images.first(where: { $0.id == image.description }) else {
            throw RuntimeError.invalidArgument(field: "image", reason: "there is no such image")
        }
        if evidence.count < all.count {
            // By another kind of key, say: none that a policy could name.
            logger.notice(
                "signatures that came with an image are too large to be of use",
                metadata: [
                    "image": "\(image)", "count": .stringConvertible(all.count - evidence.count),
                ])
        }
        if !evidence.isEmpty {
            try await signatures.add(evidence, to: image) { policies.isGood($0, for: image) }
            signatures.keep(only: Set(images.compactMap { Digest($0.id) }))
            logger.info(
                "signatures came with an image",
                metadata: ["image": "\(image)", "count": .stringConvertible(evidence.count)])
        }
        guard let name = try wanted.name?.familiar() else { return }
        do {
            try policies.requireSignature(of: name, image)
        } catch {
            // Asked once more: somebody may have given the name to another image meanwhile.
            let now = try? await engines.use { try await $0.images([:]) }
            if now?.contains(where: { $0.id == found.id && $0.names.contains(name) }) ?? false {
                // It may be in use already, and then it stays.
                try? await engines.use { try await $0.remove(name, force: false) }
                await forgetRemovedImages()
            }
            throw error
        }
    }

    /// Signatures go with their image.
    func forgetRemovedImages() async {
        guard !signatures.images.isEmpty else { return }
        // Otherwise the next time does it.
        if let images = try? await engines.use({ try await $0.images([:]) }) {
            signatures.keep(only: Set(images.compactMap { Digest($0.id) }))
        }
    }

    private static func evidence(
        _ wanted: Runtime.AttachSignatures.Parameters
    ) throws(RuntimeError) -> [SignatureEvidence] {
        guard !wanted.signatures.isEmpty else { return [] }
        guard let manifest = wanted.manifest else {
            throw .invalidArgument(field: "manifest", reason: "signatures have to be of one")
        }
        let evidence = wanted.signatures.map {
            SignatureEvidence(
                manifest: Array(manifest), index: wanted.index.map { Array($0) },
                payload: Array($0.payload), signature: Array($0.signature))
        }
        guard evidence.count <= SignatureStore.maximumForAnImage else {
            throw .invalidArgument(
                field: "signatures", reason: "they are more than those of any image")
        }
        return evidence
    }
}
