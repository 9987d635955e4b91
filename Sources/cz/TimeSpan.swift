import ArgumentParser

/// A length of time on a command line.
struct TimeSpan: ExpressibleByArgument, Sendable {
    var duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        var digits = argument[...]
        var unit: Int64 = 1
        if let last = digits.last, let seconds = units[last] {
            unit = seconds
            digits.removeLast()
        }
        guard let number = Int64(digits), number > 0, number <= 1 << 31 else { return nil }
        duration = .seconds(number * unit)
    }
}
