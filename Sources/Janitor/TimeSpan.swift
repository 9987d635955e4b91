/// A length of time as people write it: `30s`, `10m`, `1h`, `7d`.
public struct TimeSpan: Hashable, Sendable, CustomStringConvertible {
    public var seconds: Int64
    public let description: String

    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]

    /// - Returns: nil for what is no number with a unit, or more than a century.
    public init?(_ text: String) {
        guard let unit = text.last.flatMap({ Self.units[$0] }),
            let number = WholeNumber.parse(text.dropLast()), number <= 100 * 366 * 86400 / unit
        else { return nil }
        seconds = number * unit
        description = text
    }
}
