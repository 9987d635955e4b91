import Glibc

/// A name or an address that clients reach a server by.
public struct ServerName: Hashable, Sendable, CustomStringConvertible {
    enum Kind: Hashable, Sendable { case dns, address }

    let kind: Kind
    /// As it was given, without the brackets of an IPv6 address.
    public let description: String

    /// The longest there is (RFC 1035, section 2.3.4).
    private static let longest = 253
    private static let longestLabel = 63

    /// - Returns: nil when it is neither an address nor a host's name.
    public init?(_ text: String) {
        let bare =
            text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        var address = in6_addr()
        if inet_pton(AF_INET6, bare, &address) == 1
            || (bare == text && inet_pton(AF_INET, text, &address) == 1)
        {
            kind = .address
            description = bare
        } else if bare == text, Self.isHostName(text) {
            kind = .dns
            description = text
        } else {
            return nil
        }
    }

    /// RFC 1123, section 2.1. A last label of digits alone is an address with a mistake in it.
    private static func isHostName(_ text: String) -> Bool {
        guard text.utf8.count <= longest else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...longestLabel).contains(label.count), label.allSatisfy(isAllowed),
                label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else { return false }
        }
        return labels.last?.contains { !isDigit($0) } ?? false
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "-")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// As OpenSSL's configuration writes it; nothing in it has a meaning there.
    var alternativeName: String {
        switch kind {
        case .dns: "DNS:\(description)"
        case .address: "IP:\(description)"
        }
    }
}
