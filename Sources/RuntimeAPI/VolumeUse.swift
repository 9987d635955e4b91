/// A volume as whoever cleans up has to see it.
public struct VolumeUse: Codable, Hashable, Sendable {
    public var name: String
    public var labels: [String: String]
    /// In seconds since 1970; 0 when the engine does not tell.
    public var created: Int64
    /// Whether the engine made it up for a container, and nobody gave it a name.
    public var anonymous: Bool
    /// Whether it was made through this interface, or for a container that was.
    public var managed: Bool
    /// A container that mounts it, running or not; nil where there is none.
    public var container: String?
    /// Who needs it at this moment; nil for nobody.
    public var held: String?

    public init(
        name: String, labels: [String: String] = [:], created: Int64 = 0, anonymous: Bool = true,
        managed: Bool = true, container: String? = nil, held: String? = nil
    ) {
        self.name = name
        self.labels = labels
        self.created = created
        self.anonymous = anonymous
        self.managed = managed
        self.container = container
        self.held = held
    }
}
