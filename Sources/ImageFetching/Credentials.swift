import FoundationEssentials
import JSON
import SystemIO

/// A username and a password for a registry.
public struct Credentials: Hashable, Sendable {
    public var username: String
    public var password: String

    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// RFC 7617.
    var basicHeader: String {
        "Basic \(Data("\(username):\(password)".utf8).base64EncodedString())"
    }
}

/// Credentials by registry, in the format of docker's config.json.
public struct AuthFile: Sendable {
    private var entries: [String: Credentials] = [:]

    public init() {}

    /// - Throws: ``RegistryError/invalid(_:)``, which never quotes what is in the file.
    public init(parsing text: [UInt8]) throws(RegistryError) {
        do throws(JSONObjectReader.Failure) {
            // Other keys are other programs' business.
            var reader = try JSONObjectReader(parsing: text)
            guard case .object(let auths)? = reader.take("auths") else { return }
            for (registry, value) in auths {
                var entry = try JSONObjectReader(value, at: "auths")
                if let auth = try entry.string("auth") {
                    guard let data = Data(base64Encoded: auth),
                        case let text = String(decoding: data, as: UTF8.self),
                        let colon = text.firstIndex(of: ":")
                    else { throw JSONObjectReader.Failure("an 'auth' is not USER:PASSWORD") }
                    entries[Self.key(registry)] = Credentials(
                        username: String(text[..<colon]),
                        password: String(text[text.index(after: colon)...]))
                } else if let username = try entry.string("username"),
                    let password = try entry.string("password")
                {
                    entries[Self.key(registry)] = Credentials(
                        username: username, password: password)
                }
            }
        } catch {
            throw .invalid("\(error)")
        }
    }

    public func credentials(for registry: String) -> Credentials? {
        entries[Self.key(registry)]
    }

    /// Registries are written as hosts, or as URLs from long ago.
    private static func key(_ registry: String) -> String {
        var key = Substring(registry)
        for prefix in ["https://", "http://"] where key.hasPrefix(prefix) {
            key = key.dropFirst(prefix.count)
        }
        return String(key.prefix { $0 != "/" })
    }
}
