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

    private static let all = [image, spec, replaces, volume]

    /// What clients see: labels without those of ours.
    static func visible(of labels: [String: String]) -> [String: String] {
        var visible = labels
        for label in all { visible[label] = nil }
        return visible
    }

    /// Nobody else may set them: they tell what is ours.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func check(_ labels: [String: String]) throws(RuntimeError) {
        if let label = all.first(where: { labels[$0] != nil }) {
            throw .invalidArgument(field: "labels", reason: "\(label) is containerz's own")
        }
    }
}
