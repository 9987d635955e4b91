import PrintableText

/// A name for an image, with a tag, a digest or both: `registry:5000/apps/web:1.2@sha256:…`
/// (the grammar of the distribution project's `reference` package).
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// The repository, with the registry in front when there is one.
    public let repository: String
    public let tag: String?
    public let digest: Digest?

    /// The tag that is meant when there is none.
    public static let defaultTag = "latest"
    /// The most characters of a repository.
    static let longestRepository = 255
    /// The most characters of a tag.
    static let longestTag = 128

    /// Parses `NAME[:TAG][@DIGEST]`.
    ///
    /// - Throws: `ImageReferenceError`, with the part that is wrong.
    public init(parsing text: String) throws(ImageReferenceError) {
        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            let suffix = rest[rest.index(after: at)...]
            guard let parsed = Digest(suffix) else {
                throw ImageReferenceError(.digest, String(suffix))
            }
            digest = parsed
            rest = rest[..<at]
        }
        var tag: String?
        // A colon before a slash belongs to the registry's port.
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        try self.init(repository: String(rest), tag: tag, digest: digest)
    }

    /// Puts together a repository, a tag and a digest that are given apart, as the API does.
    ///
    /// - Throws: `ImageReferenceError`, with the part that is wrong.
    public init(
        repository: String, tag: String?, digest: Digest? = nil
    ) throws(ImageReferenceError) {
        guard Self.isRepository(repository) else {
            throw ImageReferenceError(.name, repository)
        }
        if let tag, !Self.isTag(tag) { throw ImageReferenceError(.tag, tag) }
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// The text that parses to this.
    public var description: String {
        repository + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// `NAME:TAG`, with `latest` where no tag is given.
    public var tagged: String { "\(repository):\(tag ?? Self.defaultTag)" }

    /// The same, named the way its users do: without the registries and the folder that engines
    /// put in front of a short name, `docker.io/library/`, `docker.io/` and `localhost/`.
    public var familiar: ImageReference {
        ImageReference(
            trusting: Self.withoutEnginePrefix(repository), tag: tag, digest: digest)
    }

    /// A name, or a pattern of names, without what engines put in front of a short one: what one
    /// and the same image goes by must be told in one place.
    public static func withoutEnginePrefix(_ name: String) -> String {
        for prefix in ["docker.io/library/", "docker.io/", "localhost/"]
        where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }

    /// The registry that a repository's name begins with; nil when it names none, as `apps/web`.
    public static func registry(of repository: String) -> Substring? {
        guard let slash = repository.firstIndex(of: "/") else { return nil }
        let first = repository[..<slash]
        return first.contains(".") || first.contains(":") || first == "localhost" ? first : nil
    }

    private init(trusting repository: String, tag: String?, digest: Digest?) {
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    // MARK: Grammar

    private static func isRepository(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= longestRepository else { return false }
        var components = text.split(separator: "/", omittingEmptySubsequences: false)
        if components.count > 1, isRegistry(components[0]) { components.removeFirst() }
        return components.allSatisfy(isPathComponent)
    }

    /// A host name or number with or without a port. Without a dot, a port or an upper-case
    /// letter it would be a path component, which has other rules; `localhost` is both.
    private static func isRegistry(_ text: Substring) -> Bool {
        var host = text
        if host.hasPrefix("[") {
            guard let bracket = host.firstIndex(of: "]") else { return false }
            let address = host[host.index(after: host.startIndex)..<bracket]
            let rest = host[host.index(after: bracket)...]
            return !address.isEmpty
                && address.utf8.allSatisfy { isHexadecimal($0) || $0 == UInt8(ascii: ":") }
                && (rest.isEmpty || isPort(rest))
        }
        if let colon = host.firstIndex(of: ":") {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        } else if !host.contains("."), host != "localhost", host.allSatisfy({ !$0.isUppercase }) {
            return false
        }
        return host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ text: Substring) -> Bool {
        // UInt16 alone would take a sign.
        text.first == ":" && text.dropFirst().utf8.allSatisfy(isDigit)
            && UInt16(text.dropFirst()) != nil
    }

    /// Lower-case letters and digits, separated by one dot, one or two underscores, or dashes.
    private static func isPathComponent(_ text: Substring) -> Bool {
        var separator: [UInt8] = []
        var expectsMore = true
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                separator = []
                expectsMore = false
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                guard !expectsMore || !separator.isEmpty else { return false }
                separator.append(byte)
                expectsMore = true
                let isDash = separator.allSatisfy { $0 == UInt8(ascii: "-") }
                let isKnown =
                    separator == [UInt8(ascii: ".")] || separator == [UInt8(ascii: "_")]
                    || separator == [UInt8(ascii: "_"), UInt8(ascii: "_")]
                guard isDash || isKnown else { return false }
            default: return false
            }
        }
        return !expectsMore
    }

    private static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= longestTag else { return false }
        return (isAlphanumeric(first) || first == UInt8(ascii: "_"))
            && text.utf8.allSatisfy {
                isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
                    || $0 == UInt8(ascii: "-")
            }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

/// A text that is no image reference.
public struct ImageReferenceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which part of it is wrong.
    public enum Part: String, Sendable {
        case name
        case tag
        case digest
    }

    public let part: Part
    /// The offending part, cut where it is long, without control characters.
    public let text: String

    init(_ part: Part, _ text: String) {
        self.part = part
        self.text = excerpt(text)
    }

    public var description: String {
        let rule =
            switch part {
            case .name:
                "lower-case letters and digits, separated by '.', '_', '-' and '/', at most "
                    + "\(ImageReference.longestRepository) characters"
            case .tag:
                "letters, digits, '_', '.' and '-', not beginning with '.' or '-', at most "
                    + "\(ImageReference.longestTag) characters"
            case .digest: "sha256: and 64 hexadecimal digits"
            }
        return "'\(text)' is not an image \(part.rawValue): that is \(rule)"
    }
}
