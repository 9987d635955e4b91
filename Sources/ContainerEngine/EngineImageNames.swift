import OCI
import RuntimeAPI

extension ImageName {
    /// An engine's name for an image, as its clients know it; nil for `<none>:<none>`, for ids,
    /// and whatever else is no name.
    init?(engineName text: String) {
        guard !text.contains("<none>"), !text.hasPrefix("sha256:"),
            let reference = try? ImageReference(parsing: text).familiar
        else { return nil }
        self.init(reference)
    }

    /// The same name without what engines put in front of it.
    ///
    /// - Throws: `RuntimeError.invalidArgument` when it is none.
    public func familiar(_ field: String = "image") throws(RuntimeError) -> ImageName {
        do throws(ImageReferenceError) {
            return ImageName(try ImageReference(repository: repository, tag: tag).familiar)
        } catch {
            throw .invalidArgument(field: field, reason: "\(error)")
        }
    }
}

/// What names of images in a list have come to: many containers are of few images.
struct KnownImageNames {
    private var known: [String: ImageName?] = [:]

    /// What a container was started from, as ``ImageName/init(engineName:)``.
    mutating func name(of container: ContainerSummary) -> ImageName? {
        let text = container.labels?[EngineLabel.image] ?? container.image ?? ""
        if let name = known[text] { return name }
        let name = ImageName(engineName: text)
        known.updateValue(name, forKey: text)
        return name
    }
}

/// An engine's id of an image, the digest of its configuration. Podman leaves out the algorithm.
enum ImageID {
    static let prefix = "sha256:"

    static func full(_ id: String) -> String { id.hasPrefix(prefix) ? id : prefix + id }

    static func areSame(_ one: String, _ other: String) -> Bool { full(one) == full(other) }
}
