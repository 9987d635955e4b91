import RuntimeAPI
import Testing

@testable import Cleaning

private let now: Int64 = 1_800_000_000

/// A generator that gives the same numbers for the same seed (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Whatever there is and whatever the rules")
struct ProtectionTests {
    private static let rounds = 3000

    @Test("Nothing protected is ever removed")
    func nothingProtected() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(state: seed)
        for round in 0..<Self.rounds {
            let (survey, rules) = (Self.survey(&random), Self.rules(&random))
            let plan = CleaningPlan(survey, rules, now: now)
            let broken = Self.violations(plan, survey, rules)
            #expect(broken.isEmpty, "seed \(seed), round \(round): \(broken) \(rules)")
        }
    }

    @Test("The same facts give the same plan, in whatever order they come")
    func order() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SeededGenerator(state: seed)
        for round in 0..<500 {
            let (survey, rules) = (Self.survey(&random), Self.rules(&random))
            var shuffled = survey
            shuffled.images.shuffle(using: &random)
            let plans = [survey, shuffled].map { CleaningPlan($0, rules, now: now) }
            #expect(plans[0] == plans[1], "seed \(seed), round \(round)")
        }
    }

    // MARK: What must not be

    private static func violations(
        _ plan: CleaningPlan, _ survey: Runtime.SurveyUse.Reply, _ rules: CleaningRules
    ) -> [String] {
        var found: [String] = []
        func require(_ condition: Bool, _ what: String) { if !condition { found.append(what) } }
        require(
            plan.decisions.count
                == survey.containers.count + survey.images.count + survey.volumes.count,
            "not one decision for each thing")
        var left = survey.images
        for removal in plan.removals {
            switch removal.subject {
            case .container(let one):
                require([.created, .exited, .dead].contains(one.state), "\(one.id) runs")
                require(!one.restarts, "\(one.id) restarts")
                require(one.held == nil, "\(one.id) is held")
                require(one.managed || rules.takesForeign, "\(one.id) is foreign")
                require(one.labels["org.containerz.keep"] != "true", "\(one.id) is labelled")
                require(
                    now - (one.finished ?? one.created) >= rules.stoppedAfter,
                    "\(one.id) has just stopped")
            case .image(let one):
                require(one.container == nil, "\(one.id) is in use")
                require(one.held == nil, "\(one.id) is held")
                require(one.managed || rules.takesForeign, "\(one.id) is foreign")
                require(one.labels["org.containerz.keep"] != "true", "\(one.id) is labelled")
                require(now - one.lastUsed >= rules.minimumAge, "\(one.id) is young")
                require(
                    one.names.isEmpty && one.digests.isEmpty
                        || now - one.lastUsed >= rules.unusedAfter || plan.pressure != nil,
                    "\(one.id) was used")
                left.removeAll { $0.id == one.id }
                for name in one.names where !one.fetched && !rules.takesLastPushed {
                    require(
                        left.contains { $0.names.contains { $0.repository == name.repository } },
                        "\(one.id) was the last pushed one")
                }
            case .volume(let one):
                require(rules.takesVolumes, "\(one.name): volumes are not wanted")
                require(one.container == nil && one.held == nil, "\(one.name) is in use")
                require(one.anonymous && one.labels.isEmpty, "\(one.name) is somebody's")
                require(one.managed || rules.takesForeign, "\(one.name) is foreign")
            }
        }
        // Versions to go back to.
        let ours = { (images: [ImageUse]) in images.filter { $0.managed || rules.takesForeign } }
        for repository in Set(survey.images.flatMap { $0.names.map(\.repository) }) {
            let has = { (image: ImageUse) in image.names.contains { $0.repository == repository } }
            let (before, after) = (
                ours(survey.images).filter(has).count, ours(left).filter(has).count
            )
            require(after >= min(before, rules.keep), "\(repository) has \(after) versions left")
        }
        return found
    }

    // MARK: What there may be

    private static func rules(_ random: inout SeededGenerator) -> CleaningRules {
        let high = Int.random(in: 1...100, using: &random)
        return CleaningRules(
            stoppedAfter: [0, 3600].randomElement(using: &random) ?? 0,
            unusedAfter: [0, 86400].randomElement(using: &random) ?? 0,
            minimumAge: [0, 120].randomElement(using: &random) ?? 0,
            keep: Int.random(in: 0...3, using: &random),
            takesLastPushed: Bool.random(using: &random),
            takesForeign: Bool.random(using: &random),
            takesVolumes: Bool.random(using: &random), highWater: high,
            lowWater: Int.random(in: 0...high, using: &random))
    }

    private static func survey(_ random: inout SeededGenerator) -> Runtime.SurveyUse.Reply {
        let time = { (random: inout SeededGenerator) in
            now - Int64.random(in: -100...200_000, using: &random)
        }
        let rarely = { (random: inout SeededGenerator) in Int.random(in: 0..<5, using: &random) == 0
        }
        let labels = { (random: inout SeededGenerator) -> [String: String] in
            rarely(&random)
                ? ["org.containerz.keep": Bool.random(using: &random) ? "true" : "no"] : [:]
        }
        let containers = (0..<Int.random(in: 0...6, using: &random)).map { number in
            ContainerUse(
                id: "c\(number)", name: "c\(number)",
                state: Container.State.allCases.randomElement(using: &random) ?? .exited,
                labels: labels(&random), created: time(&random),
                finished: Bool.random(using: &random) ? time(&random) : nil,
                restarts: rarely(&random), managed: !rarely(&random),
                held: rarely(&random) ? "an update" : nil)
        }
        let images = (0..<Int.random(in: 0...12, using: &random)).map { number in
            ImageUse(
                id: "i\(number)",
                names: (0..<Int.random(in: 0...2, using: &random)).map { tag in
                    ImageName(
                        repository: ["a", "b", "c"].randomElement(using: &random) ?? "a",
                        tag: "\(number).\(tag)")
                },
                digests: rarely(&random) ? ["a@sha256:\(number)"] : [], labels: labels(&random),
                size: Int64.random(in: 0...500, using: &random), lastUsed: time(&random),
                fetched: Bool.random(using: &random), managed: !rarely(&random),
                container: rarely(&random) ? "c" : nil, held: rarely(&random) ? "a start" : nil)
        }
        let volumes = (0..<Int.random(in: 0...4, using: &random)).map { number in
            VolumeUse(
                name: "v\(number)", labels: labels(&random), created: time(&random),
                anonymous: Bool.random(using: &random), managed: !rarely(&random),
                container: rarely(&random) ? "c" : nil, held: rarely(&random) ? "a start" : nil)
        }
        let free = Int64.random(in: 0...2000, using: &random)
        return .init(
            containers: containers, images: images, volumes: volumes,
            storage: rarely(&random) ? nil : .init(free: free, total: 2000))
    }
}
