import FoundationEssentials
import HTTPClient
import OCI
import SystemIO

/// Asks registries for manifests and blobs (OCI distribution spec, "Pull").
///
/// Credentials go to the registry and to the token server it names, and never to where it
/// redirects to.
@EventLoop
public final class RegistryClient {
    public struct Configuration: Sendable {
        /// http in place of https.
        public var usesPlainHTTP = false
        public var tls = HTTPTLS()
        /// The device's interface, address or VRF to connect from.
        public var interface: String?
        public var credentials: Credentials?
        public var userAgent = "cz-pull/\(containerzVersion)"
        /// The first pause before something is tried again; each further one is twice as long.
        public var firstPause: Duration = .milliseconds(500)

        public init() {}
    }

    let source: RegistryReference
    let configuration: Configuration
    private let client: HTTPClient
    /// The `Authorization` that the registry accepted last.
    private var authorization: String?

    /// How often something is tried that failed in a way that may pass.
    static let attempts = 5
    private static let longestPause: Duration = .seconds(60)
    private static let mostRedirects = 5
    /// A token or an error document.
    private static let largestDocument = 1 << 20

    /// - Throws: ``RegistryError``.
    public init(
        _ source: RegistryReference, _ configuration: Configuration
    ) throws(RegistryError) {
        self.source = source
        self.configuration = configuration
        do throws(HTTPError) {
            client = try HTTPClient()
        } catch {
            throw .unavailable(error.reason)
        }
    }

    // MARK: Requests

    /// Gets something of the repository, with whatever credentials it takes.
    ///
    /// - Parameters:
    ///   - path: after the repository's name, `manifests/1.2`.
    ///   - what: for messages.
    /// - Returns: an answer with a status from 200 to 299.
    /// - Throws: ``RegistryError`` or `CancellationError`.
    func get(
        _ path: String, _ what: String, headers: [(name: String, value: String)] = []
    ) async throws -> HTTPResponse {
        var pause = configuration.firstPause
        for attempt in 1...Self.attempts {
            do {
                return try await authorised(path, what, headers)
            } catch let failure as Temporary {
                guard attempt < Self.attempts else {
                    throw RegistryError.unavailable(
                        "\(what): \(failure.reason); tried \(attempt) times")
                }
                try await EventLoop.sleep(
                    for: min(failure.retryAfter ?? pause, Self.longestPause))
                pause = min(pause * 2, Self.longestPause)
            }
        }
        throw RegistryError.unavailable("\(what): not tried")
    }

    /// A failure that may pass.
    struct Temporary: Error {
        var reason: String
        var retryAfter: Duration?
    }

    private func authorised(
        _ path: String, _ what: String, _ headers: [(name: String, value: String)]
    ) async throws -> HTTPResponse {
        let url = "\(base)/v2/\(source.repository)/\(path)"
        let response = try await following(url, headers)
        guard response.status == 401 else {
            return try await Self.checked(response, what)
        }
        // Once: credentials that do not help now will not the next time.
        let field = response.header("WWW-Authenticate") ?? ""
        response.cancel()
        guard let challenge = Challenge(field) else {
            throw RegistryError.unauthenticated(
                "\(what): \(source.registry) wants credentials of a kind that is not known")
        }
        authorization = try await answer(challenge)
        let second = try await following(url, headers)
        guard second.status != 401 else {
            second.cancel()
            throw RegistryError.unauthenticated(
                configuration.credentials == nil
                    ? "\(what): \(source.registry) wants credentials"
                    : "\(what): \(source.registry) does not accept the credentials")
        }
        return try await Self.checked(second, what)
    }

    private var base: String {
        "\(configuration.usesPlainHTTP ? "http" : "https")://\(source.registry)"
    }

    /// Follows redirects, without credentials once they lead to another host.
    private func following(
        _ url: String, _ headers: [(name: String, value: String)]
    ) async throws -> HTTPResponse {
        var url = url
        let home = Self.origin(url)
        for _ in 0...Self.mostRedirects {
            var headers = headers + [("User-Agent", configuration.userAgent)]
            if let authorization, Self.origin(url) == home {
                headers.append(("Authorization", authorization))
            }
            let response = try await send(url, headers)
            guard [301, 302, 303, 307, 308].contains(response.status) else { return response }
            let location = response.header("Location") ?? ""
            response.cancel()
            guard let next = Self.resolve(location, from: url) else {
                throw RegistryError.unavailable("\(source.registry) redirects to nowhere")
            }
            guard next.hasPrefix("https://") || configuration.usesPlainHTTP else {
                throw RegistryError.unavailable(
                    "\(source.registry) redirects from https to an address without it")
            }
            url = next
        }
        throw RegistryError.unavailable(
            "\(source.registry) redirects more than \(Self.mostRedirects) times")
    }

    private func send(
        _ url: String, _ headers: [(name: String, value: String)]
    ) async throws -> HTTPResponse {
        var request = HTTPRequest("GET", url, headers: headers)
        request.tls = configuration.tls
        request.interface = configuration.interface
        do {
            return try await client.send(request)
        } catch let error as HTTPError {
            switch error.kind {
            case .unreachable, .broken, .timedOut: throw Temporary(reason: error.reason)
            case .invalid: throw RegistryError.invalid(error.reason)
            case .untrusted, .tooLarge, .bodyFailed: throw RegistryError.unavailable(error.reason)
            }
        }
    }

    private static func checked(
        _ response: HTTPResponse, _ what: String
    ) async throws -> HTTPResponse {
        switch response.status {
        case 200..<300: return response
        case 429, 500...599:
            let seconds = response.header("Retry-After").flatMap { Int64($0) }
            response.cancel()
            throw Temporary(
                reason: "the registry answers \(response.status)",
                retryAfter: seconds.map { .seconds(max(0, $0)) })
        default:
            let text = (try? await response.collect(upTo: largestDocument)) ?? []
            let reason = Self.reason(in: text)
            switch response.status {
            case 403: throw RegistryError.forbidden("\(what): the registry forbids it\(reason)")
            case 404: throw RegistryError.notFound("\(what): there is none\(reason)")
            default:
                throw RegistryError.unavailable(
                    "\(what): the registry answers \(response.status)\(reason)")
            }
        }
    }

    /// The registry's own words, where it has any (OCI distribution spec, "Error Codes").
    private static func reason(in body: [UInt8]) -> String {
        struct Document: Decodable {
            struct Item: Decodable { var message: String? }
            var errors: [Item]
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body)),
            let message = document.errors.first?.message, !message.isEmpty
        else { return "" }
        let printable = message.unicodeScalars.prefix(200).map {
            $0.value < 0x20 ? "?" : String($0)
        }
        return " (\(printable.joined()))"
    }

    // MARK: Tokens

    private func answer(_ challenge: Challenge) async throws -> String {
        switch challenge {
        case .basic:
            guard let credentials = configuration.credentials else {
                throw RegistryError.unauthenticated("\(source.registry) wants credentials")
            }
            return credentials.basicHeader
        case .bearer(let realm, let service, let scope):
            return "Bearer \(try await token(realm, service, scope))"
        }
    }

    private func token(
        _ realm: String, _ service: String?, _ scope: String?
    ) async throws -> String {
        guard
            realm.hasPrefix("https://")
                || configuration.usesPlainHTTP && realm.hasPrefix("http://")
        else {
            throw RegistryError.unavailable(
                "\(source.registry) names a token server without https")
        }
        var url = realm
        let query = [
            ("service", service), ("scope", scope ?? "repository:\(source.repository):pull"),
        ]
        for case (let key, let value?) in query {
            url += "\(url.contains("?") ? "&" : "?")\(key)=\(Self.percentEncoded(value))"
        }
        var headers = [("User-Agent", configuration.userAgent)]
        if let credentials = configuration.credentials {
            headers.append(("Authorization", credentials.basicHeader))
        }
        let response = try await send(url, headers)
        guard response.status == 200 else {
            response.cancel()
            if response.status == 429 || response.status >= 500 {
                throw Temporary(reason: "the token server answers \(response.status)")
            }
            throw RegistryError.unauthenticated(
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
            throw Temporary(reason: error.reason)
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(text)),
            let token = document.token ?? document.accessToken,
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !token.isEmpty
        else {
            throw RegistryError.unavailable("the token server of \(source.registry) sent no token")
        }
        return token
    }

    // MARK: URLs

    /// Scheme, host and port.
    private static func origin(_ url: String) -> Substring {
        guard let scheme = url.firstRange(of: "://") else { return url[...] }
        let end = url[scheme.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        return url[..<end]
    }

    private static func resolve(_ location: String, from url: String) -> String? {
        if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
        if location.hasPrefix("//") || !location.hasPrefix("/") { return nil }
        return origin(url) + location
    }

    private static func percentEncoded(_ text: String) -> String {
        let plain = "-._~:/".utf8
        return text.utf8.map { byte in
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                scalar.properties.isASCIIHexDigit || plain.contains(byte)
                || (scalar.isASCII && scalar.properties.isAlphabetic)
            if isPlain { return String(scalar) }
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }.joined()
    }
}
