import RuntimeAPI

/// The labels that this adapter keeps for itself.
enum EngineLabel {
    /// The name a container's image had when it was started: Docker forgets it once the tag
    /// moves on.
    static let image = "org.containerz.image"
    /// What the container was started with, as JSON.
    static let spec = "org.containerz.spec"
    /// The id of the container that this one was created to replace.
    static let replaces = "org.containerz.replaces"
    /// On every volume that was made through this API.
    static let volume = "org.containerz.volume"

    /// On containers whose binds the engine was given without symbolic links. Those of older
    /// versions lack it.
    static let resolved = "org.containerz.resolved"

    static let stored = [image, spec, replaces, volume, resolved]
    /// Labels that cz-runtime adds to what it lists.
    private static let shown = ["org.containerz.update.state", "org.containerz.update.error"]

    /// What clients see: labels without those of ours.
    static func visible(of labels: [String: String]) -> [String: String] {
        var visible = labels
        for label in stored { visible[label] = nil }
        return visible
    }

    /// Refuses labels of a request that are containerz's own.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func check(_ labels: [String: String]) throws(RuntimeError) {
        if let label = reserved(in: labels) {
            throw .invalidArgument(field: "labels", reason: "\(label) is reserved for containerz")
        }
    }

    /// The first label of these that is containerz's own. An image with one would pass for what
    /// containerz keeps of a container, since containers inherit the labels of their image.
    static func reserved(in labels: [String: String]) -> String? {
        (stored + shown).first { labels[$0] != nil }
    }
}
