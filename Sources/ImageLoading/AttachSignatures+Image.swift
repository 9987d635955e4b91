import FoundationEssentials
import ImageStream
import OCI
import RuntimeAPI

extension Runtime.AttachSignatures.Parameters {
    /// What came with an image that was pushed or fetched: nothing to go by, but for cz-runtime to verify.
    init(of image: NormalisedImage) {
        let found = image.signatures
        let hasAny = found.map { !$0.signatures.isEmpty } ?? false
        self.init(
            image: image.configDigest.description,
            name: ImageName(image.name),
            manifest: hasAny ? found.map { Data($0.manifest) } : nil,
            index: hasAny ? found?.index.map { Data($0) } : nil,
            signatures: (found?.signatures ?? []).map {
                .init(payload: Data($0.payload), signature: Data($0.signature))
            })
    }
}
