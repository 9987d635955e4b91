import FoundationEssentials
import Glibc
import Testing

@testable import Schedule

/// The time zone belongs to the process, so one test at a time.
@Suite("Schedules", .serialized)
struct CronScheduleTests {
    /// The rules of central Europe: forward on the last Sunday in March at 2, back on the last
    /// one in October at 3.
    private static let europe = "CET-1CEST,M3.5.0,M10.5.0/3"

    private func next(
        _ expression: String, after time: String, zone: String = "UTC"
    ) throws -> String? {
        setenv("TZ", zone, 1)
        let start = try Date(time, strategy: .iso8601)
        let found = try CronSchedule(parsing: expression)
            .next(after: Int64(start.timeIntervalSince1970))
        return found.map { Date(timeIntervalSince1970: Double($0)).formatted(.iso8601) }
    }

    @Test(
        "The next time",
        arguments: [
            ("* * * * *", "2026-11-25T12:44:00Z", "2026-11-25T12:45:00Z"),
            ("* * * * *", "2026-11-25T12:44:59Z", "2026-11-25T12:45:00Z"),
            ("*/15 * * * *", "2026-11-25T12:44:00Z", "2026-11-25T12:45:00Z"),
            ("*/15 * * * *", "2026-11-25T23:45:00Z", "2026-11-26T00:00:00Z"),
            ("5-20/5,59 3 * * *", "2026-11-25T03:20:00Z", "2026-11-25T03:59:00Z"),
            ("0 9-17 * * mon-fri", "2026-11-27T17:00:00Z", "2026-11-30T09:00:00Z"),
            ("0 0 * * 7", "2026-11-25T12:44:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 * * SUN", "2026-11-25T12:44:00Z", "2026-11-29T00:00:00Z"),
            ("0 0 1 jan *", "2026-11-25T12:44:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 31 * *", "2026-11-25T12:44:00Z", "2026-12-31T00:00:00Z"),
            ("0 0 29 2 *", "2026-11-25T12:44:00Z", "2028-02-29T00:00:00Z"),
            // Day or weekday, where both are given …
            ("0 0 13 * fri", "2026-11-25T12:44:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 26 * fri", "2026-11-25T12:44:00Z", "2026-11-26T00:00:00Z"),
            // … and both, where one of them begins with a star.
            ("0 0 */2 * fri", "2026-11-25T12:44:00Z", "2026-11-27T00:00:00Z"),
            ("0 0 */2 * sat", "2026-11-25T12:44:00Z", "2026-12-05T00:00:00Z"),
            ("@hourly", "2026-11-25T12:44:00Z", "2026-11-25T13:00:00Z"),
            ("@daily", "2026-11-25T12:44:00Z", "2026-11-26T00:00:00Z"),
            ("@weekly", "2026-11-25T12:44:00Z", "2026-11-29T00:00:00Z"),
            ("@monthly", "2026-11-25T12:44:00Z", "2026-12-01T00:00:00Z"),
            ("@Yearly", "2026-11-25T12:44:00Z", "2027-01-01T00:00:00Z"),
        ])
    func next(_ expression: String, _ start: String, _ expected: String) throws {
        #expect(try next(expression, after: start) == expected)
    }

    @Test("What never comes is found out", arguments: ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
    func never(_ expression: String) throws {
        #expect(try next(expression, after: "2026-11-25T12:44:00Z") == nil)
    }

    @Test(
        "Local time, and clocks that go forward and back",
        arguments: [
            ("30 3 * * *", "2026-07-01T00:00:00Z", "2026-07-01T01:30:00Z"),
            ("30 3 * * *", "2026-12-01T00:00:00Z", "2026-12-01T02:30:00Z"),
            // 29 March: 2:30 does not exist, and becomes 3:30.
            ("30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
            ("30 2 * * *", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
            ("0 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
            ("0 * * * *", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"),
            // 25 October: 2:30 comes twice, at 0:30 and at 1:30 UTC.
            ("30 2 * * *", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("30 * * * *", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"),
        ])
    func local(_ expression: String, _ start: String, _ expected: String) throws {
        #expect(try next(expression, after: start, zone: Self.europe) == expected)
    }

    @Test(
        "What is no schedule",
        arguments: [
            ("", "five fields"), ("* * * *", "five fields"), ("* * * * * *", "five fields"),
            ("@reboot", "@daily"), ("60 * * * *", "minute '60'"), ("* 24 * * *", "hour '24'"),
            ("* * 0 * *", "day of the month '0'"), ("* * * 13 *", "month '13'"),
            ("* * * * 8", "day of the week '8'"), ("* * * foo *", "no name"),
            ("5-1 * * * *", "ends before"), ("*/0 * * * *", "step"), ("5/2 * * * *", "step"),
            ("1--2 * * * *", "minute"), ("1,,2 * * * *", "minute ''"), ("-1 * * * *", "minute"),
            ("+1 * * * *", "minute"), ("*/2/3 * * * *", "step"),
        ])
    func wrong(_ expression: String, _ reason: String) throws {
        do {
            _ = try CronSchedule(parsing: expression)
            Issue.record("\(expression) was taken")
        } catch {
            #expect(error.description.contains(reason), "\(error)")
        }
    }
}
