import CCurl
import ServerAddress

/// Where one request leads, by the policy that it is subject to.
struct Destination {
    enum Route: Hashable {
        /// To whatever address, by libcurl's own choice of proxy.
        case unrestricted
        /// Without a proxy, to an address that is judged when it is connected to.
        case judged
        /// To a proxy, which resolves the host's name and may reach what this device must not.
        case proxy(String)
    }

    /// `HOST:PORT`, for messages.
    let name: String
    let route: Route

    /// - Throws: ``HTTPError`` of kind ``HTTPError/Kind/addressDenied(host:)`` where the host is
    ///   written as an address that is denied.
    init(
        _ url: String, _ policy: DestinationPolicy, proxies: ProxySettings = ProxySettings()
    ) throws(HTTPError) {
        guard policy.deniesLocal else {
            name = ""
            route = .unrestricted
            return
        }
        guard let (scheme, host, port) = Self.parse(url) else {
            throw HTTPError(.invalid, "\(WebAddress.shown(url)) is not a URL that can be fetched")
        }
        name = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        guard !policy.allows(host, port: port) else {
            route = .unrestricted
            return
        }
        // A proxy would be asked for these as well.
        if let address = NetworkAddress(numeric: host) {
            try Self.judge(address, of: name)
        } else if host == "localhost" || host.hasSuffix(".localhost") {
            throw Self.denial("localhost", .loopback, of: name)
        }
        route = proxies.proxy(for: scheme, host).map { .proxy($0) } ?? .judged
    }

    /// - Throws: ``HTTPError`` for an address that is denied.
    static func judge(_ address: NetworkAddress, of name: String) throws(HTTPError) {
        guard let own = NetworkAddress.ofThisDevice() else {
            throw HTTPError(
                .addressDenied(host: name),
                "cannot connect to \(name): the addresses of this device are not known")
        }
        guard let scope = LocalScope(of: address, own: own) else { return }
        throw denial("\(address)", scope, of: name)
    }

    static func denial(_ address: String, _ scope: LocalScope, of name: String) -> HTTPError {
        HTTPError(
            .addressDenied(host: name),
            "cannot connect to \(name): \(address) is \(scope), which is denied")
    }

    /// The parts as libcurl will read them.
    private static func parse(_ url: String) -> (scheme: String, host: String, port: Int)? {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK,
            let scheme = part(CURLUPART_SCHEME, of: handle, 0),
            let host = part(CURLUPART_HOST, of: handle, cz_curl_url_punycode),
            let port = part(CURLUPART_PORT, of: handle, cz_curl_url_default_port).flatMap({
                Int($0)
            })
        else { return nil }
        let zone = part(CURLUPART_ZONEID, of: handle, 0).map { "%\($0)" } ?? ""
        return (scheme.lowercased(), HostAndPort.normalised(host) + zone, port)
    }

    private static func part(
        _ part: CURLUPart, of handle: OpaquePointer, _ flags: UInt32
    ) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
