import JSON
import OCI
import RuntimeAPI

/// A plugin's config.json, with the entry that says which tarball the plugin is made from.
struct PluginConfig {
    let text: [UInt8]

    /// - Parameters:
    ///   - text: config.json as it was given.
    ///   - digest: the tarball's.
    /// - Throws: ``RequestError``.
    init(_ text: String, from digest: Digest) throws(RequestError) {
        guard case .object(var fields) = try? JSONValue(parsing: text) else {
            throw RequestError("config", "it is not a JSON object")
        }
        // The engine does not tell upper from lower case.
        let keys = fields.keys.filter { $0.lowercased() == "env" }
        guard keys.count <= 1 else { throw RequestError("config", "'env' is there twice") }
        let key = keys.first ?? "env"
        var entries: [JSONValue] = []
        switch fields[key] {
        case nil, .null: break
        case .array(let given): entries = given
        default: throw RequestError("config", "'env' is not a list")
        }
        entries.append(
            .object([
                "name": .string(Plugin.digestVariable), "value": .string("\(digest)"),
                "description": .string("the tarball this plugin was made from"),
            ]))
        fields[key] = .array(entries)
        do {
            self.text = Array(try CanonicalJSON.encode(fields))
        } catch {
            throw RequestError("config", "it cannot be written again: \(error)")
        }
    }
}
