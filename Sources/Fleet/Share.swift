/// Some of a fleet: a number of devices, or so many of a hundred.
public enum Share: Hashable, Sendable, CustomStringConvertible {
    case count(Int)
    /// From 0 to 100.
    case percent(Int)

    /// - Returns: nil when it is neither `N` nor `P%`.
    public init?(_ text: String) {
        var digits = text.utf8[...]
        let isPercent = digits.last == UInt8(ascii: "%")
        if isPercent { digits.removeLast() }
        let isNumber = digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isNumber, let number = Int(Substring(digits)) else { return nil }
        guard !isPercent || number <= 100 else { return nil }
        self = isPercent ? .percent(number) : .count(number)
    }

    public var description: String {
        switch self {
        case .count(let count): "\(count)"
        case .percent(let percent): "\(percent)%"
        }
    }

    /// How many devices at most; a part of one is none.
    public func atMost(of total: Int) -> Int {
        switch self {
        case .count(let count): count
        case .percent(let percent): total * percent / 100
        }
    }

    /// How many devices at a time: one at least, a part of one is one.
    public func atLeastOne(of total: Int) -> Int {
        switch self {
        case .count(let count): max(1, count)
        case .percent(let percent): max(1, (total * percent + 99) / 100)
        }
    }
}
