import RuntimeAPI
import Testing

@testable import Cleaning

private let now: Int64 = 1_800_000_000

@Suite("Which containers go")
struct ContainerSelectionTests {
    private static let foreign = CleaningRules(takesForeign: true)

    private static func container(
        _ state: Container.State, finished: Int64? = nil, created: Int64 = 7200,
        _ change: (inout ContainerUse) -> Void = { _ in }
    ) -> ContainerUse {
        var use = ContainerUse(
            id: "1", name: "web", state: state, created: now - created,
            finished: finished.map { now - $0 })
        change(&use)
        return use
    }

    @Test(
        "By state, time, restart policy, label, and who needs them",
        arguments: [
            (container(.exited, finished: 3600), CleaningRules(), .remove(.stopped(3600))),
            (container(.exited, finished: 3599), CleaningRules(), .keep(.stoppedRecently(3599))),
            (container(.exited, finished: -5), CleaningRules(), .keep(.stoppedRecently(-5))),
            (
                container(.exited, finished: 0), CleaningRules(stoppedAfter: 0),
                .remove(.stopped(0))
            ),
            (
                container(.exited, finished: -5), CleaningRules(stoppedAfter: 0),
                .keep(.stoppedRecently(-5))
            ),
            (container(.dead, finished: 4000), CleaningRules(), .remove(.stopped(4000))),
            (container(.exited), CleaningRules(), .remove(.stopped(7200))),
            (container(.created), CleaningRules(), .remove(.neverStarted(7200))),
            (
                container(.created, created: 60), CleaningRules(), .keep(.stoppedRecently(60))
            ),
            (container(.running), CleaningRules(stoppedAfter: 0), .keep(.running)),
            (container(.paused), CleaningRules(stoppedAfter: 0), .keep(.running)),
            (container(.restarting), CleaningRules(stoppedAfter: 0), .keep(.running)),
            (
                container(.removing), CleaningRules(stoppedAfter: 0),
                .keep(.held("the engine is removing it"))
            ),
            (
                container(.exited, finished: 9999) { $0.held = "an update is under way" },
                CleaningRules(), .keep(.held("an update is under way"))
            ),
            (
                container(.exited, finished: 9999) { $0.managed = false }, CleaningRules(),
                .keep(.foreign)
            ),
            (
                container(.exited, finished: 9999) { $0.managed = false }, foreign,
                .remove(.stopped(9999))
            ),
            (
                container(.exited, finished: 9999) { $0.labels["org.containerz.keep"] = "true" },
                foreign, .keep(.labelled)
            ),
            (
                container(.exited, finished: 9999) { $0.labels["org.containerz.keep"] = "false" },
                CleaningRules(), .remove(.stopped(9999))
            ),
            (
                container(.exited, finished: 9999) { $0.restarts = true }, CleaningRules(),
                .keep(.restarts)
            ),
            (
                container(.created) { $0.restarts = true }, CleaningRules(), .keep(.restarts)
            ),
        ] as [(ContainerUse, CleaningRules, Decision.Verdict)])
    func table(_ container: ContainerUse, _ rules: CleaningRules, _ expected: Decision.Verdict) {
        let plan = CleaningPlan(.init(containers: [container]), rules, now: now)
        #expect(plan.decisions == [Decision(.container(container), expected)])
    }
}

@Suite("Which volumes go")
struct VolumeSelectionTests {
    private static let wanted = CleaningRules(takesVolumes: true)

    private static func volume(
        _ change: (inout VolumeUse) -> Void = { _ in }
    ) -> VolumeUse {
        var use = VolumeUse(name: "v", created: now - 1000)
        change(&use)
        return use
    }

    @Test(
        "Only where that is wanted, and only what nobody named, labelled or mounts",
        arguments: [
            (volume(), CleaningRules(), .keep(.volumesNotWanted)),
            (volume(), wanted, .remove(.anonymousVolume)),
            (volume { $0.anonymous = false }, wanted, .keep(.named)),
            (volume { $0.labels["a"] = "b" }, wanted, .keep(.labelled)),
            (volume { $0.container = "web" }, wanted, .keep(.usedBy("web"))),
            (volume { $0.held = "a start" }, wanted, .keep(.held("a start"))),
            (volume { $0.managed = false }, wanted, .keep(.foreign)),
            (
                volume { $0.managed = false },
                CleaningRules(takesForeign: true, takesVolumes: true), .remove(.anonymousVolume)
            ),
            (volume { $0.created = now - 10 }, wanted, .keep(.tooYoung(10))),
        ] as [(VolumeUse, CleaningRules, Decision.Verdict)])
    func table(_ volume: VolumeUse, _ rules: CleaningRules, _ expected: Decision.Verdict) {
        let plan = CleaningPlan(.init(volumes: [volume]), rules, now: now)
        #expect(plan.decisions == [Decision(.volume(volume), expected)])
    }
}
