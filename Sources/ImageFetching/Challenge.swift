/// What a registry wants to see before it answers (RFC 9110, section 11.6.1; the distribution
/// project's token specification).
enum Challenge: Hashable, Sendable {
    case basic
    case bearer(realm: String, service: String?, scope: String?)

    /// Reads one `WWW-Authenticate` field.
    ///
    /// - Returns: nil when it is neither of the two, or broken.
    init?(_ field: String) {
        var rest = Substring(field)
        while rest.first == " " { rest.removeFirst() }
        let scheme = rest.prefix { $0 != " " }
        rest = rest.dropFirst(scheme.count)
        switch scheme.lowercased() {
        case "basic": self = .basic
        case "bearer":
            var parameters: [String: String] = [:]
            while let (key, value) = Self.parameter(&rest) {
                if parameters.updateValue(value, forKey: key) != nil { return nil }
            }
            guard let realm = parameters["realm"], !realm.isEmpty else { return nil }
            self = .bearer(
                realm: realm, service: parameters["service"], scope: parameters["scope"])
        default: return nil
        }
    }

    /// `key="value"` or `key=value`, with a comma before it but for the first.
    private static func parameter(_ rest: inout Substring) -> (String, String)? {
        while let first = rest.first, first == " " || first == "," { rest.removeFirst() }
        guard let equals = rest.firstIndex(of: "=") else { return nil }
        let key = rest[..<equals].lowercased()
        rest = rest[rest.index(after: equals)...]
        guard rest.first == "\"" else {
            let value = rest.prefix { $0 != "," && $0 != " " }
            rest = rest.dropFirst(value.count)
            return (key, String(value))
        }
        rest.removeFirst()
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return (key, value)
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(character)
            }
        }
        return nil
    }
}
