import FoundationEssentials
import HTTPClient
import PrintableText
import ServerAddress
import SystemIO

/// How servers are reached, whatever they serve.
public struct WebConfiguration: Sendable {
    public var tls = HTTPTLS()
    /// The device's interface, address or VRF to connect from.
    public var interface: String?
    /// Which addresses may be connected to.
    public var destinations = DestinationPolicy()

    public init() {}
}

/// Makes requests that follow redirects, and tries again what may pass.
@EventLoop
final class WebClient {
    private let configuration: WebConfiguration
    private let client: HTTPClient

    /// How often something is tried that failed in a way that may pass.
    static let attempts = 5
    /// The first pause before something is tried again; each further one is twice as long.
    static let firstPause: Duration = .milliseconds(500)
    private static let longestPause: Duration = .seconds(60)
    private static let mostRedirects = 5
    /// An error document, which is read for its message.
    private static let largestDocument = 1 << 20
    /// Characters of a server's own words that are told.
    private static let longestReason = 200

    /// A failure that may pass.
    struct Temporary: Error {
        var reason: String
        var retryAfter: Duration?
    }

    /// - Throws: ``FetchError``.
    init(_ configuration: WebConfiguration) throws(FetchError) {
        self.configuration = configuration
        do throws(HTTPError) {
            client = try HTTPClient()
        } catch {
            throw .unavailable(error.reason)
        }
    }

    /// Tries until it works, with pauses that double or that the server asks for.
    ///
    /// - Parameter what: for messages.
    /// - Throws: ``FetchError`` or `CancellationError`.
    func retrying<Value>(
        _ what: String, _ body: @EventLoop () async throws -> Value
    ) async throws -> Value {
        var pause = Self.firstPause
        for attempt in 1...Self.attempts {
            do {
                return try await body()
            } catch let failure as Temporary {
                guard attempt < Self.attempts else {
                    throw FetchError.unavailable(
                        "\(what): \(failure.reason); tried \(attempt) times")
                }
                try await EventLoop.sleep(
                    for: min(failure.retryAfter ?? pause, Self.longestPause))
                pause = min(pause * 2, Self.longestPause)
            }
        }
        throw FetchError.unavailable("\(what): not tried")
    }

    /// Gets something, wherever it is by now, without credentials once that is another host.
    ///
    /// - Parameters:
    ///   - allowsPlainHTTP: whether a redirect may lead away from https.
    ///   - isLong: whether the answer may be long, and is to be read at leisure.
    /// - Throws: ``FetchError``, ``Temporary`` or `CancellationError`.
    func following(
        _ url: String, method: String = "GET", authorization: String?, allowsPlainHTTP: Bool,
        isLong: Bool, headers: [(name: String, value: String)]
    ) async throws -> HTTPResponse {
        var url = url
        let home = WebAddress.origin(url)
        for _ in 0...Self.mostRedirects {
            var headers = headers
            if let authorization, WebAddress.origin(url) == home {
                headers.append(("Authorization", authorization))
            }
            var request = HTTPRequest(method, url, headers: headers)
            request.allowsHTTP2 = !isLong
            let response = try await send(request)
            if response.status == 401, WebAddress.origin(url) != home {
                response.cancel()
                throw FetchError.unavailable(
                    "\(home) redirects to \(WebAddress.shown(url)), which wants credentials")
            }
            guard [301, 302, 303, 307, 308].contains(response.status) else { return response }
            let location = response.header("Location") ?? ""
            response.cancel()
            guard let next = WebAddress.resolve(location, from: url) else {
                throw FetchError.unavailable("\(home) redirects to nowhere")
            }
            guard next.hasPrefix("https://") || allowsPlainHTTP else {
                throw FetchError.unavailable(
                    "\(home) redirects from https to an address without it")
            }
            url = next
        }
        throw FetchError.unavailable("\(home) redirects more than \(Self.mostRedirects) times")
    }

    /// One request.
    ///
    /// - Throws: ``FetchError``, ``Temporary`` or `CancellationError`.
    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        var request = request
        request.headers.append(("User-Agent", "cz-pull/\(containerzVersion)"))
        request.tls = configuration.tls
        request.interface = configuration.interface
        request.destinations = configuration.destinations
        do {
            return try await client.send(request)
        } catch let error as HTTPError {
            throw Self.failure(error)
        }
    }

    /// Begins to read a file by SFTP or SCP.
    ///
    /// - Throws: ``FetchError``, ``Temporary`` or `CancellationError`.
    func open(_ request: SSHRequest) async throws -> HTTPResponse {
        var request = request
        request.interface = configuration.interface
        request.destinations = configuration.destinations
        do {
            return try await client.open(request)
        } catch let error as HTTPError {
            throw Self.failure(error)
        }
    }

    private static func failure(_ error: HTTPError) -> any Error {
        switch error.kind {
        case .unreachable, .broken, .timedOut: Temporary(reason: error.reason)
        case .addressDenied(let host): FetchError.addressDenied(host: host, error.reason)
        case .notFound: FetchError.notFound(error.reason)
        case .denied: FetchError.unauthenticated(error.reason)
        case .invalid: FetchError.invalid(error.reason)
        case .untrusted, .tooLarge, .bodyFailed: FetchError.unavailable(error.reason)
        }
    }

    /// Lets only a success through.
    ///
    /// - Throws: ``FetchError``, ``Temporary`` or `CancellationError`.
    static func checked(_ response: HTTPResponse, _ what: String) async throws -> HTTPResponse {
        switch response.status {
        case 200..<300: return response
        case 429, 500...599:
            let seconds = response.header("Retry-After").flatMap { Int64($0) }
            response.cancel()
            throw Temporary(
                reason: "the server answers \(response.status)",
                retryAfter: seconds.map { .seconds(max(0, $0)) })
        default:
            let text = (try? await response.collect(upTo: largestDocument)) ?? []
            let reason = reason(in: text)
            switch response.status {
            case 401:
                throw FetchError.unauthenticated("\(what): the server wants other credentials")
            case 403: throw FetchError.forbidden("\(what): the server forbids it\(reason)")
            case 404, 410: throw FetchError.notFound("\(what): there is none\(reason)")
            default:
                throw FetchError.unavailable(
                    "\(what): the server answers \(response.status)\(reason)")
            }
        }
    }

    /// A registry's own words, where there are any (OCI distribution spec, "Error Codes").
    private static func reason(in body: [UInt8]) -> String {
        struct Document: Decodable {
            struct Item: Decodable { var message: String? }
            var errors: [Item]
        }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body)),
            let message = document.errors.first?.message, !message.isEmpty
        else { return "" }
        return " (\(excerpt(message, upTo: longestReason)))"
    }
}
