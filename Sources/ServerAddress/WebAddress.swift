/// As much of RFC 3986 as fetching takes.
public enum WebAddress {
    /// Scheme, host and port.
    public static func origin(_ url: String) -> Substring {
        guard let scheme = url.firstRange(of: "://") else { return url[...] }
        let end = url[scheme.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        return url[..<end]
    }

    /// As much of a URL as may be shown: its query is often a secret, and so is what stands before
    /// the host.
    public static func shown(_ url: String) -> String {
        let end = url.firstIndex { "?#".contains($0) } ?? url.endIndex
        let plain = url[..<end]
        guard let scheme = plain.firstRange(of: "://") else { return String(plain) }
        let path = plain[scheme.upperBound...].firstIndex(of: "/") ?? plain.endIndex
        guard let at = plain[scheme.upperBound..<path].lastIndex(of: "@") else {
            return String(plain)
        }
        return String(plain[..<scheme.upperBound] + plain[plain.index(after: at)...])
    }

    /// Where a redirect leads; nil when it is none to follow.
    public static func resolve(_ location: String, from url: String) -> String? {
        // With others, Swift's characters and libcurl's are not the same.
        guard location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        if location.hasPrefix("http://") || location.hasPrefix("https://") { return location }
        if location.hasPrefix("//") || !location.hasPrefix("/") { return nil }
        return origin(url) + location
    }

    /// A text as it stands in a segment of a path or in a value of a query (section 2.3).
    ///
    /// - Parameter delimiters: ASCII characters that stay as they are as well.
    public static func percentEncoded(_ text: String, keeping delimiters: String = "") -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            case _ where delimiters.utf8.contains(byte):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    /// The text that was percent-encoded; nil when it was not, or was no UTF-8.
    public static func percentDecoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let digits = String(rest.prefix(2)),
                !digits.contains("+"), !digits.contains("-"), let value = UInt8(digits, radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
