/// An absolute path of the device, without what does not change where it leads: repeated
/// slashes, `.` and `..`.
public struct HostPath: Hashable, Sendable, CustomStringConvertible {
    private let parts: [Substring]

    /// - Returns: nil for a path that is not absolute.
    public init?(_ text: String) {
        guard text.hasPrefix("/"), !text.utf8.contains(0) else { return nil }
        self.init(trusting: text)
    }

    init(trusting text: String) {
        var parts: [Substring] = []
        for part in text.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        self.parts = parts
    }

    public var description: String { "/" + parts.joined(separator: "/") }

    /// Whether it is `other` or below it.
    func isWithin(_ other: HostPath) -> Bool { parts.starts(with: other.parts) }

    /// Whether whoever has the one has something of the other. What is all of `/` is only `/`:
    /// every path is below it.
    func touches(_ other: HostPath) -> Bool {
        other.parts.isEmpty ? parts.isEmpty : isWithin(other) || other.isWithin(self)
    }
}

/// The file system, as far as a policy has to know it.
public protocol PathResolver: Sendable {
    /// The path without symbolic links; what of it does not exist is left as it is.
    func resolve(_ path: String) -> String
}
