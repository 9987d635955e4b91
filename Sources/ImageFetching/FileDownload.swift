import HTTPClient
import ServerAddress
import SystemIO

/// How a file server is reached.
public struct FileConfiguration: Sendable {
    public var web = WebConfiguration()
    /// A name and a password, or for SFTP and SCP a name alone.
    public var username: String?
    public var password: String?
    /// For SFTP and SCP: the path of a private key without a passphrase.
    public var identity: String?
    /// For SFTP and SCP: the path of the keys that servers have.
    public var knownHosts: String?

    public init() {}
}

/// Fetches a file from a server. What it is has to be found out by whoever takes the bytes.
@EventLoop
public struct FileDownload {
    private let address: FileAddress
    private let configuration: FileConfiguration
    private let web: WebClient

    /// What happens meanwhile.
    public enum Event: Sendable {
        /// Its size in bytes, where the server tells.
        case resolved(size: Int64?)
        case progress(received: Int64, of: Int64?)
    }

    /// - Throws: ``FetchError``.
    public init(
        _ address: FileAddress, _ configuration: FileConfiguration
    ) throws(FetchError) {
        self.address = address
        self.configuration = configuration
        web = try WebClient(configuration.web)
    }

    /// - Parameter output: takes the file's bytes in order, each once.
    /// - Throws: ``FetchError``, `CancellationError`, or what `output` throws.
    public func run(
        events: @escaping @EventLoop (Event) -> Void = { _ in },
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        switch address.scheme {
        case .http, .https: try await runWeb(events, output)
        case .sftp, .scp: try await runSSH(events, output)
        }
    }

    // MARK: HTTP

    /// One file, as it was when its first byte came.
    private struct Version: Equatable {
        var size: Int64?
        var entityTag: String?
        var lastModified: String?

        @EventLoop
        init(_ response: HTTPResponse) {
            size = response.contentLength
            entityTag = response.header("ETag")
            lastModified = response.header("Last-Modified")
        }

        /// What If-Range may ask for: a strong entity tag (RFC 9110, section 13.1.5).
        var condition: String? { entityTag.flatMap { $0.hasPrefix("\"") ? $0 : nil } }

        static func == (one: Self, other: Self) -> Bool {
            one.size == other.size
                && (one.entityTag ?? one.lastModified) == (other.entityTag ?? other.lastModified)
        }

        /// Whether an answer that goes on (206) with so many bytes received may be of this one. It
        /// need not say when that was changed (section 15.3.7).
        func mayGoOn(with part: Self, after start: Int64) -> Bool {
            if let size, let rest = part.size, start.addingReportingOverflow(rest) != (size, false)
            {
                return false
            }
            if let entityTag, let tag = part.entityTag { return entityTag == tag }
            if let lastModified, let time = part.lastModified { return lastModified == time }
            return true
        }
    }

    private func runWeb(
        _ events: @EventLoop (Event) -> Void,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        var version: Version?
        var received: Int64 = 0
        try await web.receive("\(address)") { start in
            let response = try await web.retrying("\(address)") {
                try await get(from: start, of: version)
            }
            let found = Version(response)
            if let version {
                let isSame =
                    response.status == 206
                    ? version.mayGoOn(with: found, after: start) : version == found
                guard isSame else {
                    response.cancel()
                    throw FetchError.corrupt("\(address): it changed while it was fetched")
                }
            } else {
                events(.resolved(size: found.size))
                version = found
            }
            return response
        } isComplete: { received in
            version?.size.map { received == $0 } ?? true
        } _: { bytes in
            received += Int64(bytes.count)
            try await output(bytes)
            events(.progress(received: received, of: version?.size))
        }
    }

    private func get(from start: Int64, of version: Version?) async throws -> HTTPResponse {
        let authorization = configuration.username.flatMap {
            Credentials.password(username: $0, password: configuration.password ?? "").basicHeader
        }
        var headers: [(name: String, value: String)] = []
        if start > 0 {
            headers.append(("Range", "bytes=\(start)-"))
            if let condition = version?.condition { headers.append(("If-Range", condition)) }
        }
        let response = try await web.following(
            address.url, authorization: authorization, allowsPlainHTTP: address.scheme == .http,
            isLong: true, headers: headers)
        return try await WebClient.checked(response, "\(address)")
    }

    // MARK: SFTP and SCP

    private func runSSH(
        _ events: @EventLoop (Event) -> Void,
        _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        guard let username = configuration.username ?? address.username else {
            throw FetchError.unauthenticated("\(address): a name to log in under is missing")
        }
        guard let knownHosts = configuration.knownHosts else {
            throw FetchError.unavailable(
                "\(address): nothing says which key the server has: --known-hosts")
        }
        let login: SSHRequest.Login =
            configuration.password.map { .password($0) }
            ?? configuration.identity.map { .key($0) } ?? .agent
        let request = SSHRequest(
            address.url, username: username, login: login, knownHosts: knownHosts)
        let response = try await web.retrying("\(address)") { try await web.open(request) }
        let size = response.contentLength
        events(.resolved(size: size))
        var received: Int64 = 0
        do {
            while let bytes = try await response.next() {
                received += Int64(bytes.count)
                try await output(bytes)
                events(.progress(received: received, of: size))
            }
        } catch let error as HTTPError {
            throw FetchError.unavailable("\(address): \(error.reason)")
        } catch {
            response.cancel()
            throw error
        }
        if let size, received != size {
            throw FetchError.unavailable("\(address): it ended after \(received) of \(size) bytes")
        }
    }
}
