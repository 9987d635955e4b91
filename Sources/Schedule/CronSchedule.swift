/// When something is to be done, as crontab(5) writes it: five fields, or `@daily` and its like.
public struct CronSchedule: Hashable, Sendable, CustomStringConvertible {
    /// What is wrong with an expression.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// The expression as it was given.
    public let description: String
    let minutes: CronField
    let hours: CronField
    let days: CronField
    let months: CronField
    let weekdays: CronField

    private static let shorthands = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
        "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
    ]

    /// - Throws: ``Failure``.
    public init(parsing text: String) throws(Failure) {
        var expression = text
        if text.hasPrefix("@") {
            guard let meant = Self.shorthands[text.lowercased()] else {
                throw Failure(
                    description: "'\(text)' is none of "
                        + Self.shorthands.keys.sorted().joined(separator: ", "))
            }
            expression = meant
        }
        let fields = expression.split { $0 == " " || $0 == "\t" }.map(String.init)
        guard fields.count == 5 else {
            throw Failure(
                description: "'\(text)' is not five fields: minute, hour, day of the month, "
                    + "month, day of the week")
        }
        description = text
        minutes = try CronField(fields[0], .minute)
        hours = try CronField(fields[1], .hour)
        days = try CronField(fields[2], .day)
        months = try CronField(fields[3], .month)
        weekdays = try CronField(fields[4], .weekday)
    }

    /// Whether a day is one of the schedule's. Of day and weekday one is enough where both are
    /// given (crontab(5)).
    func includes(month: Int, day: Int, weekday: Int) -> Bool {
        guard months.contains(month) else { return false }
        let (byDay, byWeekday) = (days.contains(day), weekdays.contains(weekday))
        return days.isStar || weekdays.isStar ? byDay && byWeekday : byDay || byWeekday
    }
}
