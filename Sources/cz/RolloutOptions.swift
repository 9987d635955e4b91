import ArgumentParser
import ContainerzClient
import ContentDigest
import Fleet
import JSON

extension Share: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

/// How many devices are brought to something new at a time, and when that is given up.
struct RolloutOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Do so many devices first, and the others once all of those are well.",
            valueName: "number"))
    var canary: Int?

    @Option(
        help: ArgumentHelp(
            "Do so many devices a step, and none of the next before all of one have ended.",
            valueName: "number|percent%"))
    var batch: Share?

    @Option(help: ArgumentHelp("Wait between the steps.", valueName: "duration"))
    var pause: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "Begin no further device once more than these have failed.",
            valueName: "number|percent%"))
    var maxFailures: Share?

    @Option(
        help: ArgumentHelp(
            "Keep the rollout's state in this file, and go on from what it says is done.",
            valueName: "file"))
    var resume: String?

    func validate() throws {
        if let canary, canary < 1 { throw ValidationError("--canary: \(canary) is less than 1") }
        if batch == .count(0) || batch == .percent(0) {
            throw ValidationError("--batch: no device a step would take for ever")
        }
        if pause != nil, canary == nil, batch == nil {
            throw ValidationError("--pause goes with --canary or --batch")
        }
    }

    /// Whether there is more to do than what a command does anyway.
    var isGiven: Bool { canary != nil || batch != nil || maxFailures != nil || resume != nil }

    var plan: RolloutPlan {
        RolloutPlan(
            canary: canary ?? 0, batch: batch, pause: pause?.duration,
            maximumFailures: maxFailures)
    }

    /// - Parameters:
    ///   - image: the digest or the name.
    ///   - options: all else that makes another rollout of it.
    func request(
        _ command: String, _ image: () throws -> String, _ options: some Encodable
    ) throws -> RolloutRequest {
        guard let resume else { return RolloutRequest(plan: plan, isRollout: true) }
        let options = ContentHash.digest(of: Array(try CanonicalJSON.encode(options)))
        let identity = RolloutIdentity(command: command, image: try image(), options: "\(options)")
        return RolloutRequest(plan: plan, isRollout: true, state: (resume, identity))
    }
}

/// In which way several devices are done.
struct RolloutRequest: Sendable {
    var plan = RolloutPlan()
    /// Whether it is to go on although nobody reads what it says.
    var isRollout = false
    /// The file that keeps its state, and what it is.
    var state: (path: String, identity: RolloutIdentity)?
}
