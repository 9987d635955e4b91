/// A request, to an address or to a unix socket.
public struct HTTPRequest: Sendable {
    public var method: String
    public var url: String
    /// The socket to connect to; the URL's host is then only a name.
    public var unixSocket: String?
    public var headers: [(name: String, value: String)]
    public var body: HTTPBody?
    /// For https; the system's authorities and no certificate when nil.
    public var tls: HTTPTLS?
    /// The device's interface, address or VRF to connect from; any when nil.
    public var interface: String?
    /// Which addresses it may connect to.
    public var destinations = DestinationPolicy()
    /// Whether HTTP/2 may be spoken, where the server does. libcurl lets a server send 32 MiB
    /// ahead of a slow reader then, which is much for bodies that are long.
    public var allowsHTTP2 = true
    /// How long connecting may take.
    public var connectTimeout: Duration = .seconds(10)
    /// The longest silence, both ways, before the transfer is given up; nil for any. Time in
    /// which this side is slow does not count.
    public var idleTimeout: Duration?

    public init(
        _ method: String, _ url: String, unixSocket: String? = nil,
        headers: [(name: String, value: String)] = [], body: HTTPBody? = nil,
        idleTimeout: Duration? = .seconds(60)
    ) {
        self.method = method
        self.url = url
        self.unixSocket = unixSocket
        self.headers = headers
        self.body = body
        self.idleTimeout = idleTimeout
    }
}

/// The certificates of an https client, as PEM files.
public struct HTTPTLS: Hashable, Sendable {
    /// Who signs servers' certificates; the system's authorities when nil.
    public var authorities: String?
    public var certificate: String?
    public var privateKey: String?

    public init(
        authorities: String? = nil, certificate: String? = nil, privateKey: String? = nil
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// What is sent with a request.
public enum HTTPBody: Sendable {
    case bytes([UInt8])
    /// Of unknown length, sent in chunks as it comes.
    case stream(RequestStream)
}
