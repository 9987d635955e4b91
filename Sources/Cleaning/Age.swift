/// A time in its largest unit, for people.
public enum Age {
    private static let units: [(Int64, String)] = [(86400, "d"), (3600, "h"), (60, "m")]

    /// - Parameter seconds: rounded down to the unit.
    public static func text(_ seconds: Int64) -> String {
        guard let (length, unit) = units.first(where: { seconds >= $0.0 }) else {
            return "\(max(0, seconds))s"
        }
        return "\(seconds / length)\(unit)"
    }
}
