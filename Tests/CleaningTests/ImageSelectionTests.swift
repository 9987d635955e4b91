import RuntimeAPI
import Testing

@testable import Cleaning

private let now: Int64 = 1_800_000_000
private let day: Int64 = 86400

private func image(
    _ names: String..., unused days: Int64, size: Int64 = 100,
    _ change: (inout ImageUse) -> Void = { _ in }
) -> ImageUse {
    var use = ImageUse(
        id: "sha256:\(names.joined(separator: "+"))\(days)",
        names: names.map { name in
            let parts = name.split(separator: ":")
            return ImageName(repository: String(parts[0]), tag: String(parts[1]))
        }, size: size, lastUsed: now - days * day)
    change(&use)
    return use
}

@Suite("Which images go")
struct ImageSelectionTests {
    /// What goes, by names, in its order.
    private func removed(
        _ images: [ImageUse], _ rules: CleaningRules, _ storage: EngineInfo.Storage? = nil
    ) -> [String] {
        CleaningPlan(.init(images: images, storage: storage), rules, now: now).removals.map {
            guard case .image(let image) = $0.subject else { return "?" }
            return image.names.first?.description ?? "<none>"
        }
    }

    private func verdict(
        _ image: ImageUse, among images: [ImageUse], _ rules: CleaningRules
    ) -> Decision.Verdict? {
        CleaningPlan(.init(images: images), rules, now: now).decisions
            .first { $0.subject == .image(image) }?.verdict
    }

    private let versions = [
        image("web:1", unused: 40), image("web:2", unused: 30), image("web:3", unused: 20),
        image("web:4", unused: 10),
    ]

    @Test("The last versions of a repository stay")
    func keep() {
        #expect(removed(versions, CleaningRules()) == ["web:1", "web:2"])
        #expect(removed(versions, CleaningRules(keep: 3)) == ["web:1"])
        #expect(
            verdict(versions[2], among: versions, CleaningRules())
                == .keep(.version(keep: 2, of: "web")))
    }

    @Test("What is in use counts as a version, and as the newest")
    func usedVersion() {
        var images = versions
        images[0].container = "web"
        #expect(removed(images, CleaningRules()) == ["web:2", "web:3"])
        #expect(verdict(images[0], among: images, CleaningRules()) == .keep(.usedBy("web")))
    }

    @Test("What is foreign does not push ours out")
    func foreignVersions() {
        var images = versions
        for index in 2...3 { images[index].managed = false }
        #expect(removed(images, CleaningRules()) == [])
        #expect(removed(images, CleaningRules(takesForeign: true)) == ["web:1", "web:2"])
    }

    @Test("One of several names is enough to stay")
    func severalNames() {
        let images = versions + [image("web:0", "tool:1", unused: 50)]
        #expect(removed(images, CleaningRules(keep: 1)) == ["web:1", "web:2", "web:3"])
    }

    @Test("The only image of a repository stays when it was pushed")
    func lastPushed() {
        let rules = CleaningRules(keep: 0)
        #expect(removed(versions, rules) == ["web:1", "web:2", "web:3"])
        #expect(verdict(versions[3], among: versions, rules) == .keep(.lastPushed(of: "web")))
        let all = CleaningRules(keep: 0, takesLastPushed: true)
        #expect(removed(versions, all) == ["web:1", "web:2", "web:3", "web:4"])
        var images = versions
        images[3].fetched = true
        #expect(removed(images, rules) == ["web:4", "web:1", "web:2"])
    }

    @Test("A week without use is needed")
    func grace() {
        let images = [
            image("a:1", unused: 6), image("a:2", unused: 7), image("a:3", unused: 0),
            image("a:4", unused: 0) { $0.lastUsed = now + 5 },
        ]
        #expect(removed(images, CleaningRules(keep: 0)) == ["a:2"])
        #expect(removed(images, CleaningRules(unusedAfter: 0, keep: 0)) == ["a:2", "a:1"])
        #expect(
            verdict(images[2], among: images, CleaningRules(unusedAfter: 0, keep: 0))
                == .keep(.tooYoung(0)))
        #expect(
            removed(images, CleaningRules(unusedAfter: 0, minimumAge: 0, keep: 0))
                == ["a:2", "a:1", "a:3"])
    }

    @Test("What has no name goes at once, unless somebody needs it")
    func untagged() {
        let bare = image(unused: 1)
        #expect(removed([bare], CleaningRules()) == ["<none>"])
        for change: (inout ImageUse) -> Void in [
            { $0.container = "web" }, { $0.held = "an update" }, { $0.managed = false },
            { $0.labels["org.containerz.keep"] = "true" }, { $0.lastUsed = now - 60 },
            // It has a name after all.
            { $0.digests = ["web@sha256:0"] },
        ] {
            var kept = bare
            change(&kept)
            #expect(removed([kept], CleaningRules()) == [])
        }
    }

    // MARK: A storage that is nearly full

    /// So that the images of 100 bytes are to free this much, down to 70 %.
    private func storage(excess: Int64) -> EngineInfo.Storage {
        let total: Int64 = 10000
        return .init(free: total - 7000 - excess, total: total)
    }

    private let young = [
        image("a:1", unused: 4), image("a:2", unused: 3), image("a:3", unused: 2),
        image("a:4", unused: 1), image("b:1", unused: 1), image("b:2", unused: 0),
    ]

    @Test("Above the high-water mark the oldest go, down to the low-water mark")
    func pressure() throws {
        var rules = CleaningRules(keep: 1)
        #expect(removed(young, rules, storage(excess: 1500)) == [])
        rules.highWater = 71
        #expect(removed(young, rules, storage(excess: 150)) == ["a:1", "a:2"])
        let plan = CleaningPlan(
            .init(images: young, storage: storage(excess: 150)), rules, now: now)
        #expect(try #require(plan.pressure).isRelieved)
    }

    @Test("Versions to go back to, and what has just come, stay all the same")
    func pressureBounds() throws {
        let rules = CleaningRules(keep: 1, highWater: 70)
        let storage = storage(excess: 1000)
        #expect(removed(young, rules, storage) == ["a:1", "a:2", "a:3", "b:1"])
        let plan = CleaningPlan(.init(images: young, storage: storage), rules, now: now)
        let pressure = try #require(plan.pressure)
        #expect(!pressure.isRelieved)
        #expect(pressure.planned == 400 && pressure.excess == 1000)
    }

    @Test("What goes anyway counts")
    func pressureAfterUnused() {
        let images = versions + young
        let rules = CleaningRules(keep: 1, highWater: 70)
        #expect(removed(images, rules, storage(excess: 250)) == ["web:1", "web:2", "web:3"])
        #expect(
            removed(images, rules, storage(excess: 350)) == ["web:1", "web:2", "web:3", "a:1"])
    }
}
