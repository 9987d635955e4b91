/// A pattern over the names of peers: a ``StringMatcher`` that says of which kind the names are.
///
/// `*/containerz/write` is about URIs. Without the kind, a certificate whose subject or DNS name
/// ends so, or a user of that name, would match as well.
struct PrincipalMatcher: Hashable, Sendable {
    private let pattern: StringMatcher
    /// nil for `*`, which matches names of every kind.
    private let kind: PrincipalName.Kind?

    /// - Returns: nil for a pattern that ``StringMatcher`` does not take.
    init?(_ text: String) {
        guard let pattern = StringMatcher(text) else { return nil }
        self.pattern = pattern
        kind = Self.kind(of: text)
    }

    /// The kind of the names that an allow rule means by a pattern.
    private static func kind(of pattern: String) -> PrincipalName.Kind? {
        if pattern == "*" { return nil }
        // A certificate without any name has an empty subject.
        if pattern.isEmpty { return .subject }
        if PrincipalName(.user, pattern).isWellFormed { return .user }
        if PrincipalName(.account, pattern).isWellFormed { return .account }
        return switch PrincipalName.separator(in: pattern) {
        case UInt8(ascii: "="): .subject
        case nil: .dns
        default: .uri
        }
    }

    /// Whether the pattern matches a name of its own kind, as allow rules have it.
    func matches(_ name: PrincipalName) -> Bool {
        guard kind == nil || kind == name.kind, pattern.matches(name.text) else { return false }
        return kind != .subject || isAtBoundary(of: name.text)
    }

    /// Whether the pattern matches a name by its text alone, as deny rules have it: they have to
    /// match too much rather than too little.
    func matchesText(of name: PrincipalName) -> Bool { pattern.matches(name.text) }

    /// A subject's end counts only as whole attributes: `*,O=lab` does not match
    /// `CN=x\,O=lab`, and `*O=lab` does not match `CN=xO=lab`. The text in front of the match is a
    /// part of the same value then, which its owner may have chosen.
    private func isAtBoundary(of subject: String) -> Bool {
        guard let suffix = pattern.suffix?.utf8 else { return true }
        let front = subject.utf8.dropLast(suffix.count)
        guard let last = front.last, let first = suffix.first else { return true }
        let isEscaped =
            !front.reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
        if Self.separators.contains(first) { return !isEscaped }
        // A pattern that begins amid a value, such as `*-admin,O=lab`, has no attribute to spoof.
        let type = suffix.prefix { $0 != UInt8(ascii: "=") }
        guard !type.contains(where: Self.separators.contains) else { return true }
        let before = front.dropLast()
        let separatorIsEscaped =
            !before.reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
        return Self.separators.contains(last) && !separatorIsEscaped
    }

    /// Between the attributes of a subject (RFC 2253, section 2).
    private static let separators: Set<UInt8> = [UInt8(ascii: ","), UInt8(ascii: "+")]
}
