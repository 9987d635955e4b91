import SystemIO

/// A text in which `*` stands for any run of characters, slashes too.
///
/// Matching takes time linear in the text and the pattern, whatever they are.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    public let pattern: String
    /// The pattern's bytes up to the first star, and after the last; nil when there is none.
    private let head: [UInt8]
    private let tail: [UInt8]?
    /// The bytes between the first and the last star, with those in between.
    private let middle: [UInt8]

    private static let star = UInt8(ascii: "*")

    public init(_ pattern: String) {
        self.pattern = pattern
        let bytes = Array(pattern.utf8)
        guard let first = bytes.firstIndex(of: Self.star),
            let last = bytes.lastIndex(of: Self.star)
        else {
            (head, tail, middle) = (bytes, nil, [])
            return
        }
        head = Array(bytes[..<first])
        tail = Array(bytes[(last + 1)...])
        middle = first < last ? Array(bytes[(first + 1)..<last]) : []
    }

    public var description: String { pattern }

    /// Whether it matches everything.
    public var isAny: Bool { pattern == "*" }

    public func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    private func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let tail else { return text.elementsEqual(head) }
        guard text.count >= head.count + tail.count, text.starts(with: head),
            text.suffix(tail.count).elementsEqual(tail)
        else { return false }
        let rest = text[head.count..<(text.count - tail.count)]
        return middle.withUnsafeBytes {
            Self.has(UnsafeRawBufferPointer(rebasing: rest), piecesOf: $0)
        }
    }

    /// Whether the pieces between stars are found one after the other. The first place of each
    /// leaves most for those that follow.
    private static func has(
        _ text: UnsafeRawBufferPointer, piecesOf middle: UnsafeRawBufferPointer
    ) -> Bool {
        var text = text
        var middle = middle
        while !middle.isEmpty {
            let end = withUnsafeBytes(of: star) { middle.firstOffset(of: $0) } ?? middle.count
            let piece = UnsafeRawBufferPointer(rebasing: middle[..<end])
            guard let offset = text.firstOffset(of: piece) else { return false }
            text = UnsafeRawBufferPointer(rebasing: text[(offset + end)...])
            middle = UnsafeRawBufferPointer(rebasing: middle[min(end + 1, middle.count)...])
        }
        return true
    }
}

extension [Glob] {
    /// Whether one of them matches.
    public func match(_ text: String) -> Bool { contains { $0.matches(text) } }
}
