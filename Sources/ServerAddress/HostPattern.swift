/// Hosts as an administrator names them: `HOST`, `HOST:PORT`, `*.DOMAIN` for the hosts below a
/// domain, or `*` for every host. An IPv6 address stands in brackets.
public struct HostPattern: Hashable, Sendable, CustomStringConvertible {
    private enum Form: Hashable {
        case any
        /// `.DOMAIN`
        case below(String)
        case exact(HostAndPort)
    }
    private let form: Form

    /// - Returns: nil for text of no such form.
    public init?(_ text: String) {
        if text == "*" {
            form = .any
        } else if text.hasPrefix("*.") {
            guard let domain = HostAndPort(String(text.dropFirst(2))), domain.port == nil else {
                return nil
            }
            form = .below(".\(domain.host)")
        } else {
            guard let host = HostAndPort(text) else { return nil }
            form = .exact(host)
        }
    }

    /// A pattern that names one port, the default one where the text has none.
    public init?(_ text: String, defaultPort: Int) {
        guard let host = HostAndPort(text) else { return nil }
        self.init(host.port == nil ? "\(host):\(defaultPort)" : text)
    }

    /// Whether it names one host, rather than a set of them.
    public var isExact: Bool {
        if case .exact = form { true } else { false }
    }

    /// - Parameter port: the port that is connected to; nil when it is not known.
    public func matches(_ host: String, port: Int?) -> Bool {
        let host = HostAndPort.normalised(host)
        switch form {
        case .any: return true
        case .below(let suffix): return host.hasSuffix(suffix) && host.count > suffix.count
        case .exact(let exact):
            return host == exact.host && (exact.port == nil || exact.port == port)
        }
    }

    public var description: String {
        switch form {
        case .any: "*"
        case .below(let suffix): "*\(suffix)"
        case .exact(let exact): "\(exact)"
        }
    }
}

/// The authority of a URL without a user (RFC 3986, section 3.2).
public struct HostAndPort: Hashable, Sendable, CustomStringConvertible {
    /// In lower case, without brackets and without the dot of a fully qualified name.
    public let host: String
    public let port: Int?

    /// - Returns: nil unless the text is `HOST` or `HOST:PORT`.
    public init?(_ text: String) {
        let allowed = text.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7F && !"/?#@\\,*".utf8.contains(byte)
        }
        // The brackets of an IPv6 address have colons in them.
        let end = text.lastIndex(of: "]") ?? text.startIndex
        let colon = text[end...].firstIndex(of: ":")
        let name = text[..<(colon ?? text.endIndex)]
        guard allowed, !name.isEmpty, name.first != ":",
            (name.first == "[") == (name.last == "]")
        else { return nil }
        if let colon {
            let digits = text[text.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt16(digits), number > 0
            else { return nil }
            port = Int(number)
        } else {
            port = nil
        }
        host = Self.normalised(String(name))
    }

    /// A host as it is compared.
    public static func normalised(_ host: String) -> String {
        var host = host.lowercased()
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host.hasSuffix("."), host.count > 1 { host.removeLast() }
        return host
    }

    public var description: String {
        (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
    }
}
