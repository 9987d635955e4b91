/// An absolute path of the device, without what does not change where it leads: repeated
/// slashes, `.` and `..`.
///
/// By bytes, as the kernel and the engines read paths: to Swift a slash with a combining character
/// after it is another character, and two spellings of one letter are the same.
public struct HostPath: Hashable, Sendable, CustomStringConvertible {
    private let parts: [[UInt8]]

    /// - Returns: nil for a path that is not absolute.
    public init?(_ text: String) {
        guard text.utf8.first == UInt8(ascii: "/"), !text.utf8.contains(0) else { return nil }
        self.init(trusting: text)
    }

    init(trusting text: String) {
        var parts: [[UInt8]] = []
        for part in text.utf8.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) {
                _ = parts.popLast()
            } else if !part.elementsEqual(".".utf8) {
                parts.append(Array(part))
            }
        }
        self.parts = parts
    }

    public var description: String {
        parts.isEmpty ? "/" : parts.map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
    }

    /// Whether it is `other` or below it.
    func isWithin(_ other: HostPath) -> Bool { parts.starts(with: other.parts) }

    /// Whether whoever has the one has something of the other. What is all of `/` is only `/`:
    /// every path is below it.
    func touches(_ other: HostPath) -> Bool {
        other.parts.isEmpty ? parts.isEmpty : isWithin(other) || other.isWithin(self)
    }
}
