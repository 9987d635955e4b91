import ArgumentParser
import Cleaning
import Janitor

/// What may go, and when.
struct RuleOptions: ParsableArguments {
    private static let defaults = CleaningRules()

    @Option(
        help: ArgumentHelp(
            "Containers that stopped, or were created and never started, so long ago; 1h when not "
                + "given.", valueName: "time"))
    var stoppedAfter: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "Images that no container used for so long; 7d when not given.", valueName: "time"))
    var unusedAfter: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "No image that came, or was used, less than so long ago, whatever else is said; 2m "
                + "when not given.", valueName: "time"))
    var minimumAge: TimeSpan?

    @Option(help: ArgumentHelp("Versions of each repository that stay.", valueName: "n"))
    var keep = defaults.keep

    @Flag(help: "Also the last image of a repository, though it was pushed.")
    var unusedImages = false

    @Flag(help: "Also what was not deployed through containerz, as far as the policy allows it.")
    var all = false

    @Flag(help: "Also volumes that nobody named, labelled or mounts.")
    var volumes = false

    @Option(
        help: ArgumentHelp(
            "Unused images before their time, when more of the storage than this is in use.",
            valueName: "percent"))
    var highWater = defaults.highWater

    @Option(help: ArgumentHelp("Until no more than this is in use.", valueName: "percent"))
    var lowWater = defaults.lowWater

    func validate() throws {
        guard keep >= 0 else { throw ValidationError("--keep: \(keep) is below 0") }
        guard (0...100).contains(highWater) else {
            throw ValidationError("--high-water: \(highWater) is not from 0 to 100")
        }
        guard (0...highWater).contains(lowWater) else {
            throw ValidationError("--low-water: \(lowWater) is not from 0 to --high-water")
        }
    }

    var rules: CleaningRules {
        CleaningRules(
            stoppedAfter: stoppedAfter?.seconds ?? Self.defaults.stoppedAfter,
            unusedAfter: unusedAfter?.seconds ?? Self.defaults.unusedAfter,
            minimumAge: minimumAge?.seconds ?? Self.defaults.minimumAge, keep: keep,
            takesLastPushed: unusedImages, takesForeign: all, takesVolumes: volumes,
            highWater: highWater, lowWater: lowWater)
    }
}
