import SystemIO

/// A text in which `*` stands for any run of characters, slashes too.
///
/// It is cut into its literal pieces once. Matching takes time linear in the text and the pattern,
/// whatever they are.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    public let pattern: String
    /// What a text begins with; all of it when there is no star.
    private let head: [UInt8]
    /// What is found after that, in this order.
    private let middle: [[UInt8]]
    /// What it ends with; nil when there is no star.
    private let tail: [UInt8]?

    public init(_ pattern: String) {
        self.pattern = pattern
        let pieces = Array(pattern.utf8)
            .split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
        head = pieces.first ?? []
        tail = pieces.count > 1 ? pieces.last : nil
        middle = pieces.dropFirst().dropLast().filter { !$0.isEmpty }
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
        var rest = UnsafeRawBufferPointer(
            rebasing: text[head.count..<(text.count - tail.count)])
        // The first place of each piece leaves most for those after it.
        for piece in middle {
            guard let offset = piece.withUnsafeBytes({ rest.firstOffset(of: $0) }) else {
                return false
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[(offset + piece.count)...])
        }
        return true
    }
}

extension [Glob] {
    /// Whether one of them matches.
    public func match(_ text: String) -> Bool { contains { $0.matches(text) } }
}
