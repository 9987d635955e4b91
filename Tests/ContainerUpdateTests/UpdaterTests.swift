import ContainerEngine
import FoundationEssentials
import Logging
import RuntimeAPI
import SystemIO
import Testing

@testable import ContainerUpdate

private let old = ImageName(repository: "app", tag: "1")
private let new = ImageName(repository: "app", tag: "2")

@Suite("Updates", .timeLimit(.minutes(1)))
@EventLoop
final class UpdaterTests {
    /// More steps than any update has.
    private nonisolated static let steps = 1...16

    private let folder: String
    private let world = World()
    private var proof = Proof()

    init() throws {
        let root = URL.temporaryDirectory.appending(path: "updates.\(UUID().uuidString)")
        folder = root.path
        proof.settleTime = .milliseconds(20)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func updater(_ engine: FakeEngine) throws -> Updater {
        Updater(
            engine, journal: try UpdateJournal(folder), proof: proof,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func waitUntilIdle(_ updater: Updater) async throws {
        while true {
            do {
                return try await updater.handOver("web") {}
            } catch {
                try await EventLoop.sleep(for: .milliseconds(5))
            }
        }
    }

    /// The one container there has to be.
    private func survivor() throws -> World.Box {
        #expect(world.containers.count == 1, "\(world.containers)")
        let box = try #require(world.containers.values.first)
        #expect(box.details.name == "web")
        #expect(box.details.spec?.restart == .init(.always))
        return box
    }

    @Test("The new one takes over", arguments: [true, false])
    func success(wasUp: Bool) async throws {
        _ = world.add("web", image: old, up: wasUp)
        let updater = try updater(FakeEngine(world))
        try await updater.update("web", to: new, ContainerSpec(), detach: false)
        let box = try survivor()
        #expect(box.image == new && box.details.isUp)
        #expect(updater.totals.finished == 1 && updater.totals.rolledBack == 0)
    }

    @Test(
        "A new one that is no good leaves the old one",
        arguments: [FakeEngine.Behaviour.crashes, .returns, .doesNotStart], [true, false])
    func failure(_ behaviour: FakeEngine.Behaviour, wasUp: Bool) async throws {
        let id = world.add("web", image: old, up: wasUp)
        let updater = try updater(FakeEngine(world, behaviour))
        await #expect {
            try await updater.update("web", to: new, ContainerSpec(), detach: false)
        } throws: { error in
            guard case .updateFailed("web", let reason) = error as? RuntimeError else {
                return false
            }
            if behaviour == .doesNotStart { return reason.contains("no such program") }
            return reason.contains("exit code 3")
                && reason.hasSuffix("its last lines: first \n\n?[2Jcannot go on ")
        }
        let box = try survivor()
        #expect(box.details.id == id && box.details.isUp == wasUp)
        #expect(updater.totals.finished == 0 && updater.totals.rolledBack == 1)
        let listed = updater.annotate([
            Container(id: id, name: "web", image: old, imageID: "", state: .running)
        ])
        #expect(listed[0].labels["org.containerz.update.state"] == "failed")
    }

    @Test(
        "cz-runtime is killed at any step, and finds the old or the new one when it starts again",
        arguments: steps, [true, false])
    func killed(at step: Int, before: Bool) async throws {
        for behaviour in [FakeEngine.Behaviour.runs, .crashes] {
            world.containers = [:]
            world.steps = 0
            let id = world.add("web", image: old, up: true)
            let dying = FakeEngine(world, behaviour, death: before ? .before(step) : .after(step))
            try? await updater(dying).update("web", to: new, ContainerSpec(), detach: false)
            // The next process has the disk and the engine, and nothing else.
            let next = try updater(FakeEngine(world, behaviour))
            next.recover()
            try await waitUntilIdle(next)
            let box = try survivor()
            #expect(box.details.isUp)
            #expect(box.details.id == id || (box.image == new && behaviour == .runs))
            #expect(try UpdateJournal(folder).records.values.allSatisfy { !$0.isUnfinished })
        }
    }

    @Test(
        "What the engine was at when cz-runtime was killed harms nobody when it happens later",
        arguments: steps)
    func late(at step: Int) async throws {
        let id = world.add("web", image: old, up: true)
        let dying = FakeEngine(world, death: .late(step))
        try? await updater(dying).update("web", to: new, ContainerSpec(), detach: false)
        let next = try updater(FakeEngine(world))
        next.recover()
        func isSettled() throws -> Bool {
            try UpdateJournal(folder).records.values.allSatisfy { !$0.isUnfinished }
        }
        while try !isSettled() { try await EventLoop.sleep(for: .milliseconds(5)) }
        world.late()
        // It is looked after for a while; how long a look takes is not what is tested.
        let deadline = ContinuousClock.now + .seconds(30)
        func isWell() -> Bool {
            guard world.containers.count == 1, let box = world.containers.values.first else {
                return false
            }
            return box.details.isUp && box.details.name == "web"
                && box.details.spec?.restart == .init(.always)
                && (box.details.id == id || box.image == new)
        }
        while !isWell(), .now < deadline { try await EventLoop.sleep(for: .milliseconds(5)) }
        #expect(isWell())
    }

    /// An update whose first change, the new container, the engine makes when nobody waits for it.
    private func afterALateUpdate(_ engine: FakeEngine? = nil) async throws -> Updater {
        world.add("web", image: old, up: true)
        try? await updater(FakeEngine(world, death: .late(1)))
            .update("web", to: new, ContainerSpec(), detach: false)
        let next = try updater(engine ?? FakeEngine(world))
        next.recover()
        try await waitUntilIdle(next)
        return next
    }

    @Test("What is created late goes, also when the instance is somebody else's by then")
    func lateAndTouched() async throws {
        let updater = try await afterALateUpdate()
        world.late()
        #expect(world.containers.count == 2)
        while world.containers.count > 1 { try await EventLoop.sleep(for: .milliseconds(5)) }
        #expect(try survivor().image == old)
        #expect(!updater.isBusy("web"))
    }

    @Test("The next update's container is not taken for one that was created late")
    func updatedAgain() async throws {
        // Longer than it takes until somebody looks for what came late.
        proof.settleTime = .milliseconds(600)
        let updater = try await afterALateUpdate()
        try await updater.update("web", to: new, ContainerSpec(), detach: false)
        #expect(try survivor().image == new)
    }

    /// An update that was undone while the engine was still about to stop the old container.
    private func afterALateStop(_ behaviour: FakeEngine.Behaviour = .runs) async throws -> Updater {
        world.add("web", image: old, up: true)
        let stop = 3
        try? await updater(FakeEngine(world, death: .late(stop)))
            .update("web", to: new, ContainerSpec(), detach: false)
        let next = try updater(FakeEngine(world, behaviour))
        next.recover()
        while next.countUnderWay > 0 { try await EventLoop.sleep(for: .milliseconds(5)) }
        return next
    }

    private func waitUntilUp() async throws {
        while !(world.containers.values.first?.details.isUp ?? false) {
            try await EventLoop.sleep(for: .milliseconds(5))
        }
    }

    @Test("An update that is refused leaves the instance looked after")
    func refusedUpdate() async throws {
        let updater = try await afterALateStop()
        let missing = ImageName(repository: "app", tag: "missing")
        await #expect(throws: RuntimeError.imageNotFound(missing)) {
            try await updater.update("web", to: missing, ContainerSpec(), detach: false)
        }
        world.late()
        #expect(try !survivor().details.isUp)
        try await waitUntilUp()
        #expect(try survivor().image == old)
    }

    @Test("A change that is refused leaves the instance looked after, one that is made does not")
    func refusedChange() async throws {
        let updater = try await afterALateStop()
        let refusal = RuntimeError.containerRunning(name: "web")
        await #expect(throws: refusal) { try await updater.handOver("web") { throw refusal } }
        world.late()
        try await waitUntilUp()
        try await updater.handOver("web") {
            try await FakeEngine(world).stop(survivor().details.id)
        }
        // Longer than the first look takes.
        try await EventLoop.sleep(for: .milliseconds(600))
        #expect(try !survivor().details.isUp)
    }

    @Test("One that is down since a stop came late was up for the next update")
    func updatedWhileDown() async throws {
        let updater = try await afterALateStop(.crashes)
        world.late()
        await #expect(throws: RuntimeError.self) {
            try await updater.update("web", to: new, ContainerSpec(), detach: false)
        }
        try await waitUntilIdle(updater)
        #expect(try survivor().image == old && survivor().details.isUp)
    }

    @Test(
        "What is created late goes after another start, though the instance is somebody's or gone",
        arguments: [true, false])
    func lateAndRestarted(isRemoved: Bool) async throws {
        let engine = FakeEngine(world)
        let first = try await afterALateUpdate(engine)
        if isRemoved {
            let id = try survivor().details.id
            try await first.handOver("web") {
                try await FakeEngine(world).discard(id, keepingVolumes: false)
            }
            await first.forget("web")
        }
        // Otherwise the first one would do it.
        engine.kill()
        let next = try updater(FakeEngine(world))
        next.recover()
        world.late()
        let left = isRemoved ? 0 : 1
        while world.containers.count > left { try await EventLoop.sleep(for: .milliseconds(5)) }
        if !isRemoved { #expect(try survivor().image == old) }
    }

    @Test("An update that is cancelled is undone", arguments: [0, 1, 5, 15])
    func cancelled(after milliseconds: Int) async throws {
        let id = world.add("web", image: old, up: true)
        let updater = try updater(FakeEngine(world))
        let task = Task {
            try await updater.update("web", to: new, ContainerSpec(), detach: false)
        }
        try await EventLoop.sleep(for: .milliseconds(milliseconds))
        task.cancel()
        let result = await task.result
        try await waitUntilIdle(updater)
        let box = try survivor()
        switch result {
        case .success: #expect(box.image == new)
        case .failure: #expect(box.details.id == id)
        }
        #expect(box.details.isUp)
    }

    @Test("Only one at a time")
    func exclusive() async throws {
        _ = world.add("web", image: old, up: true)
        let updater = try updater(FakeEngine(world))
        try await updater.update("web", to: new, ContainerSpec(), detach: true)
        await #expect(throws: RuntimeError.updateInProgress(name: "web")) {
            try await updater.update("web", to: new, ContainerSpec(), detach: false)
        }
        try await waitUntilIdle(updater)
        #expect(try survivor().image == new)
    }

    @Test("A file in the journal that is no record is told of, and left")
    func strangeFile() async throws {
        let journal = try UpdateJournal(folder)
        try await journal.write(
            UpdateRecord(instance: "web", oldID: "a", wasUp: true, restart: .init()))
        let record = try Data(contentsOf: URL(filePath: "\(folder)/web.json"))
        try record.write(to: URL(filePath: "\(folder)/other.json"))
        try Data("{".utf8).write(to: URL(filePath: "\(folder)/broken.json"))
        let again = try UpdateJournal(folder)
        #expect(Set(again.records.keys) == ["web"])
        #expect(Set(again.unreadable.map(\.file)) == ["other.json", "broken.json"])
        #expect(try Data(contentsOf: URL(filePath: "\(folder)/other.json")) == record)
    }
}
