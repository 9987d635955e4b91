import FoundationEssentials
import SystemIO

/// What shows a registry who asks.
public enum Credentials: Hashable, Sendable {
    case password(username: String, password: String)
    /// What a login left behind, for the token server alone.
    case identityToken(String)

    /// RFC 7617.
    var basicHeader: String? {
        guard case .password(let username, let password) = self else { return nil }
        return "Basic \(Data("\(username):\(password)".utf8).base64EncodedString())"
    }
}

/// Finds the credentials for a registry: those given for one, or what docker's config.json has.
@EventLoop
public final class CredentialStore {
    private let given: (registry: String, credentials: Credentials)?
    private let file: AuthFile
    private var found: [String: Credentials?] = [:]

    /// - Parameters:
    ///   - given: goes to this registry and no other, such as a mirror.
    ///   - file: for the others.
    public nonisolated init(
        given: (registry: String, credentials: Credentials)? = nil, file: AuthFile = AuthFile()
    ) {
        self.given = given
        self.file = file
    }

    /// - Returns: nil when there are none.
    /// - Throws: ``FetchError`` or `CancellationError`.
    func credentials(for registry: String) async throws -> Credentials? {
        if let given, given.registry == registry { return given.credentials }
        if let known = found[registry] { return known }
        let credentials: Credentials? =
            switch file.entry(for: registry) {
            case .none: nil
            case .credentials(let credentials): credentials
            case .helper(let helper): try await helper.credentials(for: registry)
            }
        found[registry] = credentials
        return credentials
    }
}
