/// A container as whoever cleans up has to see it.
public struct ContainerUse: Codable, Hashable, Sendable {
    public var id: String
    /// The instance name, without a slash.
    public var name: String
    /// What it was started from; nil when the engine knows only the image's id by now.
    public var image: ImageName?
    /// The digest of its image's configuration, `sha256:…`.
    public var imageID: String
    public var state: Container.State
    public var labels: [String: String]
    /// In seconds since 1970.
    public var created: Int64
    /// When it ended last, in seconds since 1970; nil while it runs and when it never did.
    public var finished: Int64?
    /// Whether its restart policy may start it again.
    public var restarts: Bool
    /// Whether it was started through this interface.
    public var managed: Bool
    /// Who needs it at this moment; nil for nobody.
    public var held: String?

    public init(
        id: String, name: String, image: ImageName? = nil, imageID: String = "",
        state: Container.State, labels: [String: String] = [:], created: Int64 = 0,
        finished: Int64? = nil, restarts: Bool = false, managed: Bool = true, held: String? = nil
    ) {
        self.id = id
        self.name = name
        self.image = image
        self.imageID = imageID
        self.state = state
        self.labels = labels
        self.created = created
        self.finished = finished
        self.restarts = restarts
        self.managed = managed
        self.held = held
    }
}
