import Glibc

/// `LABEL=VALUE`, which a device's label has to be, or `name=GLOB`, which its name has to match.
public struct MemberSelector: Hashable, Sendable, CustomStringConvertible {
    private let key: String
    private let value: String

    /// - Returns: nil when it has no `=`, or nothing before it.
    public init?(_ text: String) {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")), equals > text.startIndex
        else { return nil }
        key = String(text[..<equals])
        value = String(text[text.utf8.index(after: equals)...])
    }

    public var description: String { "\(key)=\(value)" }

    /// A label that a device does not have is no match, even for an empty value.
    public func matches(_ member: FleetMember) -> Bool {
        // fnmatch(3): *, ? and brackets, as in a shell.
        if key == "name" { return fnmatch(value, member.name, 0) == 0 }
        guard let label = member.labels[key] else { return false }
        return label.utf8.elementsEqual(value.utf8)
    }
}
