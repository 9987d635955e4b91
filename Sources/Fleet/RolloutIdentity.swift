/// What a rollout does, so that the state of one is not taken for that of another.
public struct RolloutIdentity: Codable, Hashable, Sendable {
    /// `deploy` or `upgrade`.
    public var command: String
    /// The digest of the tarball, or the name of an image on the devices.
    public var image: String
    /// The digest of everything else that was asked for: it may hold secrets.
    public var options: String

    public init(command: String, image: String, options: String) {
        self.command = command
        self.image = image
        self.options = options
    }

    /// What is not the same; nil when nothing is.
    func difference(from other: RolloutIdentity) -> String? {
        if !command.utf8.elementsEqual(other.command.utf8) {
            return "it is a rollout of \(other.command)"
        }
        if !image.utf8.elementsEqual(other.image.utf8) {
            return "it is a rollout of the image \(other.image)"
        }
        return options.utf8.elementsEqual(other.options.utf8)
            ? nil : "it is a rollout with other options"
    }
}
