/// A name that a peer proved to have, and the kind of name it is.
///
/// The kind decides which patterns can match it: a subject or a user name whose text ends like a
/// URI is not one.
public struct PrincipalName: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// A URI in a certificate's subject alternative name.
        case uri = "URI"
        /// A DNS name in a certificate's subject alternative name.
        case dns = "DNS name"
        /// A certificate's subject, as RFC 2253 writes it.
        case subject
        /// `user:NAME`, proved by a password.
        case user = "user name"
        /// `unix:NAME`, an account of the device.
        case account
    }

    public let kind: Kind
    public let text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// A name of the kind that its text looks like. No text is well formed for two kinds.
    public init(classifying text: String) {
        let kinds: [Kind] = [.user, .account, .uri, .dns]
        self.init(kinds.first { PrincipalName($0, text).isWellFormed } ?? .subject, text)
    }

    public var description: String { text }

    /// Whether the text follows the syntax of its kind: certificates can hold any text as a URI
    /// or a DNS name.
    public var isWellFormed: Bool {
        switch kind {
        case .user: text.utf8.starts(with: Self.userPrefix.utf8)
        case .account: text.utf8.starts(with: Self.accountPrefix.utf8)
        case .uri:
            // RFC 3986, section 3.1.
            Self.separator(in: text) == UInt8(ascii: ":") && Self.startsWithLetter(text)
                && text.utf8.prefix { $0 != UInt8(ascii: ":") }.allSatisfy(Self.isSchemeCharacter)
                && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
                && !PrincipalName(.user, text).isWellFormed
                && !PrincipalName(.account, text).isWellFormed
        case .dns: !text.isEmpty && text.utf8.allSatisfy(Self.isHostCharacter)
        case .subject: text.isEmpty || Self.separator(in: text) == UInt8(ascii: "=")
        }
    }

    static let userPrefix = "user:"
    static let accountPrefix = "unix:"

    /// The first `:`, `/` or `=`, which tells kinds of names and of patterns apart: a URI has a
    /// colon first, a subject an equals sign, and a DNS name has none of them.
    static func separator(in text: String) -> UInt8? {
        text.utf8.first { [UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "=")].contains($0) }
    }

    private static func startsWithLetter(_ text: String) -> Bool {
        text.utf8.first.map(isLetter) ?? false
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isSchemeCharacter(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte)
            || [UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte)
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte)
            || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "*")]
                .contains(byte)
    }
}
