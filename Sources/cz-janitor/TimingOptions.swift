import ArgumentParser
import Janitor
import Schedule

/// When it runs, and beside whom it does not.
struct TimingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Stay, and clean up on a schedule: five fields as in crontab(5), or @hourly, @daily, "
                + "@weekly, @monthly, @yearly.", valueName: "cron"))
    var schedule: String?

    @Option(help: ArgumentHelp("Begin up to so much later, by chance.", valueName: "time"))
    var jitter: TimeSpan?

    @Option(
        help: ArgumentHelp("The file that is locked while it cleans up.", valueName: "file"))
    var lock = "/run/lock/cz-janitor.lock"

    func validate() throws {
        _ = try cronSchedule()
        guard jitter == nil || schedule != nil else {
            throw ValidationError("--jitter goes with --schedule")
        }
    }

    func cronSchedule() throws -> CronSchedule? {
        guard let schedule else { return nil }
        do {
            let parsed = try CronSchedule(parsing: schedule)
            guard parsed.next(after: 0) != nil else {
                throw ValidationError("--schedule: '\(schedule)' never comes")
            }
            return parsed
        } catch let failure as CronSchedule.Failure {
            throw ValidationError("--schedule: \(failure)")
        }
    }
}
