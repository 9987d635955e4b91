import JSON
import RuntimeAPI

/// What Docker's API says of a plugin.
struct PluginDocument: Decodable {
    var id: String
    var name: String
    var isEnabled: Bool
    var config: [String: JSONValue]

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case isEnabled = "Enabled"
        case config = "Config"
    }
}

extension Plugin {
    init(_ document: PluginDocument) {
        // The entry of ours is a plugin's label, and no part of the configuration it was given.
        var config = document.config
        var digest: String?
        if case .array(let entries) = config["Env"] {
            config["Env"] = .array(
                entries.filter { entry in
                    guard case .object(let fields) = entry,
                        fields["Name"] == .string(Plugin.digestVariable)
                    else { return true }
                    if case .string(let value) = fields["Value"] { digest = value }
                    return false
                })
        }
        self.init(
            id: document.id, name: document.name, isRunning: document.isEnabled, digest: digest,
            // Every document that was JSON once can be written as such.
            config: (try? JSONValue.object(config).text) ?? "{}")
    }
}
