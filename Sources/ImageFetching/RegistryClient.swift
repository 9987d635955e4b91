import FoundationEssentials
import HTTPClient
import OCI
import ServerAddress
import SystemIO

/// Asks one registry for the manifests and blobs of a repository (OCI distribution spec, "Pull").
///
/// Credentials go to the registry and to the token server it names, and never to where it
/// redirects to.
@EventLoop
final class RegistryClient {
    let source: RegistryReference
    let web: WebClient
    private let usesPlainHTTP: Bool
    private let credentials: CredentialStore
    /// The `Authorization` that the registry accepted last.
    private var authorization: String?

    /// A token.
    private static let largestDocument = 1 << 20

    /// - Parameter usesPlainHTTP: http in place of https.
    /// - Throws: ``FetchError``.
    init(
        _ source: RegistryReference, _ configuration: WebConfiguration, usesPlainHTTP: Bool,
        _ credentials: CredentialStore
    ) throws(FetchError) {
        self.source = source
        self.usesPlainHTTP = usesPlainHTTP
        self.credentials = credentials
        web = try WebClient(configuration)
    }

    /// Gets something of the repository, with whatever credentials it takes.
    ///
    /// - Parameters:
    ///   - path: after the repository's name, `manifests/1.2`.
    ///   - what: for messages.
    ///   - isLong: whether the answer may be long.
    /// - Returns: an answer with a status from 200 to 299.
    /// - Throws: ``FetchError`` or `CancellationError`.
    func get(
        _ path: String, _ what: String, isLong: Bool,
        headers: [(name: String, value: String)] = []
    ) async throws -> HTTPResponse {
        try await web.retrying(what) {
            try await WebClient.checked(
                try await ask(path, what, isLong: isLong, headers: headers), what)
        }
    }

    /// Likewise, once, whatever the answer's status is.
    func ask(
        _ path: String, _ what: String, method: String = "GET", isLong: Bool = false,
        headers: [(name: String, value: String)] = []
    ) async throws -> HTTPResponse {
        let scheme = usesPlainHTTP ? "http" : "https"
        let url = "\(scheme)://\(source.registry)/v2/\(source.repository)/\(path)"
        let send = { @EventLoop (authorization: String?) in
            try await self.web.following(
                url, method: method, authorization: authorization,
                allowsPlainHTTP: self.usesPlainHTTP,
                isLong: isLong, headers: headers)
        }
        let response = try await send(authorization)
        guard response.status == 401 else { return response }
        // Once: credentials that do not help now will not the next time.
        let field = response.header("WWW-Authenticate") ?? ""
        response.cancel()
        guard let challenge = Challenge(field) else {
            throw FetchError.unauthenticated(
                "\(what): \(source.registry) wants credentials of a kind that is not known")
        }
        let credentials = try await self.credentials.credentials(for: source.registry)
        authorization = try await answer(challenge, credentials)
        let second = try await send(authorization)
        guard second.status == 401 else { return second }
        second.cancel()
        throw FetchError.unauthenticated(
            credentials == nil
                ? "\(what): \(source.registry) wants credentials"
                : "\(what): \(source.registry) does not accept the credentials")
    }

    // MARK: Tokens

    private func answer(
        _ challenge: Challenge, _ credentials: Credentials?
    ) async throws -> String {
        switch challenge {
        case .basic:
            guard let credentials else {
                throw FetchError.unauthenticated("\(source.registry) wants credentials")
            }
            guard let header = credentials.basicHeader else {
                throw FetchError.unauthenticated(
                    "\(source.registry) wants a name and a password, not a token")
            }
            return header
        case .bearer(let realm, let service, let scope):
            guard
                realm.hasPrefix("https://") || usesPlainHTTP && realm.hasPrefix("http://"),
                realm.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
            else {
                throw FetchError.unavailable(
                    "\(source.registry) names a token server without https")
            }
            return "Bearer \(try await token(realm, service, scope, credentials))"
        }
    }

    /// Asks for a token (distribution's "Token Authentication"), by what a login left behind
    /// where that is all there is ("OAuth2 Token Authentication").
    private func token(
        _ realm: String, _ service: String?, _ scope: String?, _ credentials: Credentials?
    ) async throws -> String {
        var fields = [("scope", scope ?? "repository:\(source.repository):pull")]
        if let service { fields.append(("service", service)) }
        var request: HTTPRequest
        if case .identityToken(let token)? = credentials {
            fields += [
                ("grant_type", "refresh_token"), ("client_id", "cz-pull"),
                ("refresh_token", token),
            ]
            request = HTTPRequest(
                "POST", realm, headers: [("Content-Type", "application/x-www-form-urlencoded")],
                body: .bytes(Array(Self.form(fields).utf8)))
        } else {
            request = HTTPRequest(
                "GET", "\(realm)\(realm.contains("?") ? "&" : "?")\(Self.form(fields))")
            if let header = credentials?.basicHeader {
                request.headers.append(("Authorization", header))
            }
        }
        let response = try await web.send(request)
        guard response.status == 200 else {
            response.cancel()
            if response.status == 429 || response.status >= 500 {
                throw WebClient.Temporary(reason: "the token server answers \(response.status)")
            }
            throw FetchError.unauthenticated(
                "the token server of \(source.registry) answers \(response.status)")
        }
        struct Document: Decodable {
            var token: String?
            var accessToken: String?

            private enum CodingKeys: String, CodingKey {
                case token
                case accessToken = "access_token"
            }
        }
        let text: [UInt8]
        do {
            text = try await response.collect(upTo: Self.largestDocument)
        } catch let error as HTTPError {
            throw WebClient.Temporary(reason: error.reason)
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(text)),
            let token = document.token ?? document.accessToken,
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !token.isEmpty
        else {
            throw FetchError.unavailable("the token server of \(source.registry) sent no token")
        }
        return token
    }

    private static func form(_ fields: [(String, String)]) -> String {
        fields.map { "\($0)=\(WebAddress.percentEncoded($1, keeping: ":/"))" }.joined(
            separator: "&")
    }
}
