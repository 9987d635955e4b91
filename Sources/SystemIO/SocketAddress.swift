import CSystem
import Glibc

/// Where a stream socket listens or connects.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// An Internet address: a name or number without brackets, and a port.
    case tcp(host: String, port: UInt16)
    /// A unix socket's path; one that begins with `@` is in the abstract namespace.
    case unix(path: String)

    /// Parses `HOST:PORT`, `[V6]:PORT` or `unix:PATH`.
    ///
    /// - Parameter defaultPort: taken when there is none; without it a port is needed.
    /// - Throws: `SocketAddressError` with a sentence for the user.
    public init(parsing text: String, defaultPort: UInt16? = nil) throws(SocketAddressError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { throw SocketAddressError(text, "the path is empty") }
            guard path.utf8.count <= Self.longestPath else {
                throw SocketAddressError(text, "a path has at most \(Self.longestPath) bytes")
            }
            self = .unix(path: path)
            return
        }
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else {
                throw SocketAddressError(text, "the closing bracket is missing")
            }
            host = text[text.index(after: text.startIndex)..<bracket]
            rest = text[text.index(after: bracket)...]
            guard host.isEmpty || Self.isIPv6(host) else {
                throw SocketAddressError(text, "only an IPv6 address is put in brackets")
            }
        } else if text.count(where: { $0 == ":" }) > 1 {
            guard defaultPort != nil else {
                throw SocketAddressError(text, "an IPv6 address with a port needs brackets")
            }
            host = text[...]
            rest = ""
            guard Self.isIPv6(host) else {
                throw SocketAddressError(text, "expected HOST:PORT, [V6]:PORT or unix:PATH")
            }
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
            guard !host.utf8.contains(UInt8(ascii: "]")) else {
                throw SocketAddressError(text, "the opening bracket is missing")
            }
            // With a port it would be a socket's path.
            guard !host.utf8.elementsEqual("unix".utf8) else {
                throw SocketAddressError(text, "unix: takes a path")
            }
        }
        guard !host.isEmpty else { throw SocketAddressError(text, "the host is empty") }
        if rest.isEmpty, let defaultPort {
            self = .tcp(host: String(host), port: defaultPort)
            return
        }
        guard rest.popFirst() == ":", let port = UInt16(rest) else {
            throw SocketAddressError(text, "expected HOST:PORT, [V6]:PORT or unix:PATH")
        }
        self = .tcp(host: String(host), port: port)
    }

    /// Whether it is an IPv6 address, with a zone or without (RFC 4007, section 11).
    private static func isIPv6(_ host: Substring) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, String(host.prefix { $0 != "%" }), &address) == 1
    }

    /// The bytes of sockaddr_un's path but one, for the terminating zero.
    static let longestPath = 107

    public var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// Whether nobody off this machine can connect to it: a unix socket, `localhost`, or a number
    /// in 127.0.0.0/8 or ::1. Other names are not looked up: what they mean may change.
    public var isLoopback: Bool {
        switch self {
        case .unix: return true
        case .tcp(let host, _):
            if host == "localhost" { return true }
            var v4 = in_addr()
            if inet_pton(AF_INET, host, &v4) == 1 {
                return UInt32(bigEndian: v4.s_addr) >> 24 == 127
            }
            var v6 = in6_addr()
            guard inet_pton(AF_INET6, host, &v6) == 1 else { return false }
            return withUnsafeBytes(of: v6) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
        }
    }
}

/// An address that could not be understood.
public struct SocketAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    public var text: String
    public var reason: String

    init(_ text: String, _ reason: String) {
        self.text = text
        self.reason = reason
    }

    public var description: String { "'\(text)' is not an address: \(reason)" }
}
