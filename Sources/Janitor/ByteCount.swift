/// A number of bytes as people write it: `500M`, `2G`, in powers of 1024.
public struct ByteCount: Hashable, Sendable, CustomStringConvertible {
    public var bytes: Int64
    public let description: String

    private static let units: [Character: Int64] = ["K": 10, "M": 20, "G": 30, "T": 40]

    /// - Returns: nil for what is no number, with or without a unit, that fits.
    public init?(_ text: String) {
        let shift = text.last.flatMap { Self.units[$0] }
        guard let number = WholeNumber.parse(shift == nil ? text[...] : text.dropLast()),
            number <= Int64.max >> (shift ?? 0)
        else { return nil }
        bytes = number << (shift ?? 0)
        description = text
    }

    /// For people, in the unit that leaves at least one of it.
    public static func text(_ bytes: Int64) -> String {
        guard bytes >= 1024 else { return "\(bytes) B" }
        var (value, unit) = (Double(bytes), 0)
        while value >= 1024, unit < 4 {
            value /= 1024
            unit += 1
        }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(["B", "KiB", "MiB", "GiB", "TiB"][unit])"
    }
}
