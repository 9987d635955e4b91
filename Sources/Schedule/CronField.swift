/// The values that one field of a schedule allows.
struct CronField: Hashable, Sendable {
    /// A field's place in the expression.
    enum Kind: Hashable, Sendable {
        case minute, hour, day, month, weekday

        var title: String {
            switch self {
            case .minute: "minute"
            case .hour: "hour"
            case .day: "day of the month"
            case .month: "month"
            case .weekday: "day of the week"
            }
        }

        /// Sunday is 0 and 7.
        var range: ClosedRange<Int> {
            switch self {
            case .minute: 0...59
            case .hour: 0...23
            case .day: 1...31
            case .month: 1...12
            case .weekday: 0...7
            }
        }

        /// Names of the values from the first on.
        var names: [String] {
            switch self {
            case .minute, .hour, .day: []
            case .month:
                [
                    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                    "dec",
                ]
            case .weekday: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
            }
        }
    }

    /// A bit for each value.
    private var bits: UInt64 = 0
    /// Whether it begins with a star, and so says nothing of which days are meant.
    let isStar: Bool

    /// - Throws: ``CronSchedule/Failure``.
    init(_ text: String, _ kind: Kind) throws(CronSchedule.Failure) {
        isStar = text.hasPrefix("*")
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            try add(String(part), kind)
        }
        if kind == .weekday, bits & 1 << 7 != 0 { bits |= 1 }
    }

    func contains(_ value: Int) -> Bool { bits & 1 << UInt64(value) != 0 }

    func values(_ kind: Kind) -> [Int] { kind.range.filter(contains) }

    /// One part of a list: a star, a value or a range, and perhaps a step.
    private mutating func add(_ part: String, _ kind: Kind) throws(CronSchedule.Failure) {
        func failure(_ reason: String) -> CronSchedule.Failure {
            CronSchedule.Failure(description: "\(kind.title) '\(part)': \(reason)")
        }
        let halves = part.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        let range: ClosedRange<Int>
        if halves[0] == "*" {
            range = kind.range
        } else {
            guard ends.count <= 2, let first = Self.value(String(ends[0]), kind),
                let last = Self.value(String(ends[ends.count - 1]), kind)
            else {
                throw failure(
                    "it is no value from \(kind.range.lowerBound) to \(kind.range.upperBound)"
                        + (kind.names.isEmpty ? "" : ", and no name"))
            }
            guard first <= last else { throw failure("it ends before it begins") }
            range = first...last
        }
        var step = 1
        if halves.count > 1 {
            guard halves.count == 2, let number = Int(halves[1]), number > 0 else {
                throw failure("the step is no number above 0")
            }
            guard halves[0] == "*" || ends.count == 2 else {
                throw failure("a step needs a range or a star")
            }
            step = number
        }
        for value in stride(from: range.lowerBound, through: range.upperBound, by: step) {
            bits |= 1 << UInt64(value)
        }
    }

    private static func value(_ text: String, _ kind: Kind) -> Int? {
        if let index = kind.names.firstIndex(of: text.lowercased()) {
            return kind.range.lowerBound + index
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int(text), kind.range.contains(number)
        else { return nil }
        return number
    }
}
