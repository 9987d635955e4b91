/// An absolute path of the device, without what does not change where it leads: repeated
/// slashes, `.` and `..`.
///
/// Paths are compared by bytes, as the kernel and the engines do. Swift's characters would take a
/// slash with a combining character after it for another character, and two spellings of one
/// letter for the same.
public struct HostPath: Hashable, Sendable, CustomStringConvertible {
    private let parts: [[UInt8]]

    /// - Returns: nil for a path that is not absolute.
    public init?(_ text: String) { self.init(Array(text.utf8)) }

    init?(_ bytes: [UInt8]) {
        guard bytes.first == UInt8(ascii: "/"), !bytes.contains(0) else { return nil }
        self.init(trusting: bytes)
    }

    /// - Parameter text: known to be absolute.
    public init(trusting text: String) { self.init(trusting: Array(text.utf8)) }

    private init(trusting bytes: [UInt8]) {
        var parts: [[UInt8]] = []
        for part in bytes.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) {
                _ = parts.popLast()
            } else if !part.elementsEqual(".".utf8) {
                parts.append(Array(part))
            }
        }
        self.parts = parts
    }

    private init(_ parts: some Sequence<[UInt8]>) { self.parts = Array(parts) }

    public var description: String {
        parts.isEmpty ? "/" : parts.map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
    }

    public var isRoot: Bool { parts.isEmpty }

    /// Number of names in it.
    var depth: Int { parts.count }

    /// Every folder above it, `/` first.
    var ancestors: [HostPath] { parts.indices.map { HostPath(parts[..<$0]) } }

    /// Whether it is `other` or below it.
    public func isWithin(_ other: HostPath) -> Bool { parts.starts(with: other.parts) }

    /// What follows `other`, as a path of its own; `/` for what is not below it.
    func relative(to other: HostPath) -> HostPath {
        HostPath(isWithin(other) ? parts[other.parts.count...] : [])
    }

    func appending(_ other: HostPath) -> HostPath { HostPath(parts + other.parts) }

    /// Whether a bind of one of them has something of the other. An entry `/` is only `/` itself:
    /// every path is below it.
    func touches(_ other: HostPath) -> Bool {
        other.parts.isEmpty ? parts.isEmpty : isWithin(other) || other.isWithin(self)
    }
}

extension HostPath: Codable {
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        self.init(trusting: text)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
