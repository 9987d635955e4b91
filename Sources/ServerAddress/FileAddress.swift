/// A file on a server, as an URL: `https://`, `http://`, `sftp://` or `scp://`.
public struct FileAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Scheme: String, CaseIterable, Sendable {
        case https
        case http
        case sftp
        case scp
    }

    public let scheme: Scheme
    /// Without a user or a password, which would end up in logs.
    public let url: String
    /// What stood before the host; nil when nothing did.
    public let username: String?

    /// The endings that tell a tarball from an image in a registry (gNOI Containerz, Deploy).
    public static let tarballEndings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"]

    /// - Returns: nil when the text is no such URL, or has a password in it.
    public init?(_ text: String) {
        guard let separator = text.firstRange(of: "://"),
            let scheme = Scheme(rawValue: String(text[..<separator.lowerBound])),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        self.scheme = scheme
        var rest = text[separator.upperBound...]
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        if let at = rest[..<end].lastIndex(of: "@") {
            let username = rest[..<at]
            guard !username.isEmpty, !username.contains(":") else { return nil }
            self.username = String(username)
            rest = rest[rest.index(after: at)...]
        } else {
            username = nil
        }
        guard let first = rest.first, first != "/" else { return nil }
        url = "\(scheme.rawValue)://\(rest)"
    }

    /// A path on a host, as the API has it: `HOST:/PATH`, or `HOST:PORT:/PATH`.
    ///
    /// - Returns: nil when the text is not that.
    public init?(_ scheme: Scheme, hostAndPath text: String) {
        guard let slash = text.firstRange(of: ":/") else { return nil }
        let host = text[..<slash.lowerBound]
        let path = text[text.index(after: slash.lowerBound)...]
        guard !host.isEmpty, !host.contains("/"), !host.contains("?"), !host.contains("#") else {
            return nil
        }
        self.init(
            "\(scheme.rawValue)://\(host)\(WebAddress.percentEncoded(String(path), keeping: ":/"))")
    }

    /// `HOST` or `HOST:PORT`.
    public var host: String {
        String(WebAddress.origin(url).dropFirst(scheme.rawValue.count + 3))
    }

    /// Without what may be a secret.
    public var description: String { WebAddress.shown(url) }
}
