/// Storage that outlives the containers that mount it.
public struct Volume: Codable, Hashable, Sendable {
    public var name: String
    /// `local`, or the name of a plugin.
    public var driver: String
    /// What the driver was given, such as `type`, `o` and `device`.
    public var options: [String: String]
    public var labels: [String: String]
    /// In seconds since 1970; 0 when the engine does not tell.
    public var created: Int64
    /// Whether it was made through this interface; nil when the service does not say.
    public var managed: Bool?

    public init(
        name: String, driver: String, options: [String: String] = [:],
        labels: [String: String] = [:], created: Int64 = 0, managed: Bool? = nil
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
        self.created = created
        self.managed = managed
    }
}

/// A volume to be.
public struct VolumeSpec: Codable, Hashable, Sendable {
    /// The driver that every engine has.
    public static let localDriver = "local"

    /// Made up by the runtime when empty.
    public var name: String
    public var driver: String
    public var options: [String: String]
    public var labels: [String: String]

    public init(
        name: String = "", driver: String = localDriver, options: [String: String] = [:],
        labels: [String: String] = [:]
    ) {
        self.name = name
        self.driver = driver
        self.options = options
        self.labels = labels
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decode(.name, default: "")
        driver = try fields.decode(.driver, default: "")
        if driver.isEmpty { driver = Self.localDriver }
        options = try fields.decode(.options, default: [:])
        labels = try fields.decode(.labels, default: [:])
    }

    private enum CodingKeys: CodingKey { case name, driver, options, labels }
}
