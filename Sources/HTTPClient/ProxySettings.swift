import Glibc
import ServerAddress

/// The proxies of the environment, chosen as libcurl does (curl(1), ENVIRONMENT): with them named
/// here, it is known of each connection whether it leads to a proxy.
struct ProxySettings: Sendable {
    private let variable: @Sendable (String) -> String?

    init(_ variable: @escaping @Sendable (String) -> String? = Self.environment) {
        self.variable = variable
    }

    @Sendable static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// - Returns: nil when the host is connected to directly.
    func proxy(for scheme: String, _ host: String) -> String? {
        guard !isExempt(host) else { return nil }
        // HTTP_PROXY is what a CGI program is given for a request's field "Proxy".
        let names =
            ["\(scheme)_proxy"] + (scheme == "http" ? [] : ["\(scheme.uppercased())_PROXY"])
            + ["all_proxy", "ALL_PROXY"]
        return names.lazy.compactMap(variable).first.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func isExempt(_ host: String) -> Bool {
        guard let list = variable("no_proxy") ?? variable("NO_PROXY") else { return false }
        if list == "*" { return true }
        let host = HostAndPort.normalised(host)
        let address = NetworkAddress(numeric: host)
        return list.split(whereSeparator: { $0 == "," || $0.isWhitespace }).contains { entry in
            if let address { return Self.covers(entry, address) }
            var name = entry
            if name.hasPrefix(".") { name = name.dropFirst() }
            let domain = HostAndPort.normalised(String(name))
            return host == domain || host.hasSuffix(".\(domain)")
        }
    }

    /// Whether an address is that of an entry, or in its network.
    private static func covers(_ entry: Substring, _ address: NetworkAddress) -> Bool {
        let parts = entry.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard
            let network = parts.first.flatMap({
                NetworkAddress(numeric: HostAndPort.normalised(String($0)))
            }), network.bytes.count == address.bytes.count
        else { return false }
        let bits = network.bytes.count * 8
        guard let length = parts.count == 2 ? Int(parts[1]) : bits, (0...bits).contains(length)
        else {
            return false
        }
        return zip(network.bytes, address.bytes).enumerated().allSatisfy { index, pair in
            let count = min(max(length - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> count)
            return pair.0 & mask == pair.1 & mask
        }
    }
}
