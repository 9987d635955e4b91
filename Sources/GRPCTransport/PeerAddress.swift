import Glibc
public import SystemIO

/// Where a request comes from, for those who count.
public enum PeerAddress {
    /// Without the port, which is another one for each connection; of IPv6 the /64, all of whose
    /// addresses one peer can have; and of a unix socket the user, since its client may give its
    /// end any name or none.
    ///
    /// - Parameters:
    ///   - peer: as gRPC writes addresses: `ipv4:1.2.3.4:5`, `ipv6:[::1]:5`, `unix:…`.
    ///   - credentials: of a unix socket's peer.
    public static func network(of peer: String, _ credentials: PeerCredentials?) -> String {
        if peer.hasPrefix("unix:") {
            return "unix:\(credentials.map { String($0.userID) } ?? "unknown")"
        }
        guard peer.hasPrefix("ipv"), let colon = peer.lastIndex(of: ":") else { return peer }
        let address = peer[..<colon]
        guard address.hasPrefix("ipv6:[") else { return String(address) }
        // Without the name of an interface, which link-local addresses have.
        let text = address.dropFirst("ipv6:[".count).prefix { $0 != "]" && $0 != "%" }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, String(text), &bytes) == 1 else { return String(address) }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        if bytes.starts(with: mapped) {
            return "ipv4:" + bytes[12...].map { "\($0)" }.joined(separator: ".")
        }
        return "ipv6:" + bytes[..<8].map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}
