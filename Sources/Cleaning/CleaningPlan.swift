import RuntimeAPI

/// What becomes of everything on a device: made from what there is, the rules and the time alone.
public struct CleaningPlan: Hashable, Sendable {
    /// Whoever sets this label to `true` wants to keep a container or an image.
    public static let keepLabel = "org.containerz.keep"

    /// One for each thing, those to be removed in the order in which they have to go: a container
    /// before its image's turn comes, older images before newer ones.
    public var decisions: [Decision]
    /// What the storage needs; nil while there is enough of it.
    public var pressure: StoragePressure?

    public var removals: [Decision] { decisions.filter(\.removes) }

    /// - Parameter now: in seconds since 1970.
    public init(_ survey: Runtime.SurveyUse.Reply, _ rules: CleaningRules, now: Int64) {
        let images = ImageSelection(survey.images, survey.storage, rules, now: now)
        pressure = images.pressure
        decisions =
            survey.containers.map { .init(.container($0), Self.verdict($0, rules, now)) }
            + images.decisions
            + survey.volumes.map { .init(.volume($0), Self.verdict($0, rules, now)) }
    }

    private static func verdict(
        _ container: ContainerUse, _ rules: CleaningRules, _ now: Int64
    ) -> Decision.Verdict {
        switch container.state {
        case .running, .paused, .restarting: return .keep(.running)
        case .removing: return .keep(.held("the engine is removing it"))
        case .created, .exited, .dead: break
        }
        if let holder = container.held { return .keep(.held(holder)) }
        guard container.managed || rules.takesForeign else { return .keep(.foreign) }
        if container.labels[keepLabel] == "true" { return .keep(.labelled) }
        if container.restarts { return .keep(.restarts) }
        let age = now - (container.finished ?? container.created)
        guard age >= rules.stoppedAfter else { return .keep(.stoppedRecently(age)) }
        return .remove(
            container.finished == nil && container.state == .created
                ? .neverStarted(age) : .stopped(age))
    }

    private static func verdict(
        _ volume: VolumeUse, _ rules: CleaningRules, _ now: Int64
    ) -> Decision.Verdict {
        if let container = volume.container { return .keep(.usedBy(container)) }
        guard rules.takesVolumes else { return .keep(.volumesNotWanted) }
        if let holder = volume.held { return .keep(.held(holder)) }
        guard volume.anonymous else { return .keep(.named) }
        guard volume.labels.isEmpty else { return .keep(.labelled) }
        guard volume.managed || rules.takesForeign else { return .keep(.foreign) }
        let age = now - volume.created
        guard age >= rules.minimumAge else { return .keep(.tooYoung(age)) }
        return .remove(.anonymousVolume)
    }
}
