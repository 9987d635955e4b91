/// What an upgrade is known by: 128 random bits, in hexadecimal. Packages that are to be installed
/// together have the same.
public struct UpgradeIdentifier: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    private static let length = 32

    /// A new one.
    public init() {
        description = (0..<Self.length).map { _ in
            String(UInt8.random(in: 0...15), radix: 16)
        }.joined()
    }

    /// - Returns: nil for what is none.
    public init?(_ text: String) {
        let isOne = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        guard isOne, text.utf8.count == Self.length else { return nil }
        description = text
    }
}
