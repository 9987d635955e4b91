/// A container that exists.
public struct Container: Codable, Hashable, Sendable {
    public enum State: String, Codable, CaseIterable, Sendable {
        case created, running, paused
        /// It ended and the engine is about to start it again.
        case restarting
        case removing, exited, dead
    }

    public var id: String
    /// The instance name, without a slash.
    public var name: String
    /// What it was started from; nil when the engine knows only the image's id by now.
    public var image: ImageName?
    /// The digest of its image's configuration, `sha256:…`.
    public var imageID: String
    public var state: State
    /// Its own labels and those of its location.
    public var labels: [String: String]
    /// In seconds since 1970.
    public var created: Int64
    /// Whether it was started through this interface; nil when the service does not say.
    public var managed: Bool?

    public init(
        id: String, name: String, image: ImageName?, imageID: String, state: State,
        labels: [String: String] = [:], created: Int64 = 0, managed: Bool? = nil
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageID = imageID
        self.state = state
        self.labels = labels
        self.created = created
        self.managed = managed
    }
}
