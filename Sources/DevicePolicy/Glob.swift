/// A text in which `*` stands for any run of characters, slashes too.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    public let pattern: String

    public init(_ pattern: String) { self.pattern = pattern }

    public var description: String { pattern }

    /// Whether it matches everything.
    public var isAny: Bool { pattern == "*" }

    public func matches(_ text: String) -> Bool {
        var pattern = Array(pattern.utf8)[...]
        var text = Array(text.utf8)[...]
        // Where to go on after a star that took too little.
        var retry: (pattern: ArraySlice<UInt8>, text: ArraySlice<UInt8>)?
        while !text.isEmpty {
            if pattern.first == UInt8(ascii: "*") {
                pattern.removeFirst()
                retry = (pattern, text)
            } else if pattern.first == text.first {
                pattern.removeFirst()
                text.removeFirst()
            } else if let (rest, from) = retry {
                pattern = rest
                text = from.dropFirst()
                retry = (rest, text)
            } else {
                return false
            }
        }
        return pattern.allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

extension [Glob] {
    func match(_ text: String) -> Bool { contains { $0.matches(text) } }
}
