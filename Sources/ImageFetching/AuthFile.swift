import FoundationEssentials
import JSON

/// Credentials by registry, in the format of docker's config.json: `auths`, and `credHelpers` and
/// `credsStore`, which name programs that know them.
public struct AuthFile: Sendable {
    enum Entry: Hashable, Sendable {
        case none
        case credentials(Credentials)
        case helper(CredentialHelper)
    }

    private var entries: [String: Credentials] = [:]
    private var helpers: [String: CredentialHelper] = [:]
    private var store: CredentialHelper?

    public init() {}

    /// - Throws: ``FetchError/invalid(_:)``, which never quotes what is in the file.
    public init(parsing text: [UInt8]) throws(FetchError) {
        do throws(JSONObjectReader.Failure) {
            // Other keys are other programs' business.
            var reader = try JSONObjectReader(parsing: text)
            if let auths = try reader.fields("auths") {
                for (registry, value) in auths {
                    var entry = try JSONObjectReader(value, at: "auths")
                    entries[Self.key(registry)] = try Self.credentials(&entry)
                }
            }
            if let names = try reader.fields("credHelpers") {
                for (registry, value) in names {
                    guard case .string(let name) = value else {
                        throw JSONObjectReader.Failure("credHelpers has something but names")
                    }
                    helpers[Self.key(registry)] = try Self.helper(name, "credHelpers")
                }
            }
            if let name = try reader.string("credsStore"), !name.isEmpty {
                store = try Self.helper(name, "credsStore")
            }
        } catch {
            throw .invalid("\(error)")
        }
    }

    /// The helper of a registry goes before what the file has for it, as with docker.
    func entry(for registry: String) -> Entry {
        let key = Self.key(registry)
        if let helper = helpers[key] { return .helper(helper) }
        if let credentials = entries[key] { return .credentials(credentials) }
        return store.map { .helper($0) } ?? .none
    }

    private static func credentials(
        _ entry: inout JSONObjectReader
    ) throws(JSONObjectReader.Failure) -> Credentials? {
        if let token = try entry.string("identitytoken"), !token.isEmpty {
            return .identityToken(token)
        }
        if let auth = try entry.string("auth"), !auth.isEmpty {
            guard let data = Data(base64Encoded: auth),
                case let text = String(decoding: data, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { throw JSONObjectReader.Failure("an 'auth' is not USER:PASSWORD") }
            return .password(
                username: String(text[..<colon]),
                password: String(text[text.index(after: colon)...]))
        }
        guard let username = try entry.string("username"),
            let password = try entry.string("password")
        else { return nil }
        return .password(username: username, password: password)
    }

    private static func helper(
        _ name: String, _ key: String
    ) throws(JSONObjectReader.Failure) -> CredentialHelper {
        guard let helper = CredentialHelper(name) else {
            throw JSONObjectReader.Failure("\(key): a helper has no such name")
        }
        return helper
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
