/// A pattern of the authorization policy (gRPC proposal A43, "Rule"): exact, or with a `*` at one
/// end, or `*` alone for anything but nothing.
struct StringMatcher: Hashable, Sendable {
    private enum Kind: Hashable, Sendable {
        case exact(String)
        case prefix(String)
        case suffix(String)
        case presence
    }

    private let kind: Kind

    /// - Returns: nil for a `*` anywhere else, which A43 would take for itself: a pattern that
    ///   looks like more than it is.
    init?(_ pattern: String) {
        let stars = pattern.utf8.count { $0 == UInt8(ascii: "*") }
        if stars == 0 {
            kind = .exact(pattern)
        } else if pattern == "*" {
            kind = .presence
        } else if stars == 1, pattern.hasPrefix("*") {
            kind = .suffix(String(pattern.dropFirst()))
        } else if stars == 1, pattern.hasSuffix("*") {
            kind = .prefix(String(pattern.dropLast()))
        } else {
            return nil
        }
    }

    /// The text behind a star at the beginning; nil for other patterns.
    var suffix: String? { if case .suffix(let text) = kind { text } else { nil } }

    func matches(_ text: String) -> Bool {
        switch kind {
        // By bytes: two spellings of one character are two names.
        case .exact(let wanted): text.utf8.elementsEqual(wanted.utf8)
        case .prefix(let wanted): text.utf8.starts(with: wanted.utf8)
        case .suffix(let wanted): text.utf8.reversed().starts(with: wanted.utf8.reversed())
        case .presence: !text.isEmpty
        }
    }
}
