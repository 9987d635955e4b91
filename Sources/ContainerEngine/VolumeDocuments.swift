import RuntimeAPI

// What the engine API says of volumes.

struct VolumeDocument: Decodable {
    var name: String
    var driver: String?
    var options: [String: String]?
    var labels: [String: String]?
    var created: String?

    /// Whether it was made through this API.
    var isOwn: Bool { labels?[EngineLabel.volume] != nil }

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case options = "Options"
        case labels = "Labels"
        case created = "CreatedAt"
    }
}

/// The body of `POST /volumes/create`.
struct VolumeRequest: Encodable {
    var name: String
    var driver: String
    var options: [String: String]
    var labels: [String: String]

    init(_ spec: VolumeSpec) {
        name = spec.name
        driver = spec.driver
        options = spec.options
        labels = spec.labels
        labels[EngineLabel.volume] = ""
    }

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case driver = "Driver"
        case options = "DriverOpts"
        case labels = "Labels"
    }
}
