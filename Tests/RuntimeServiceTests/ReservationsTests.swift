import RuntimeAPI
import SystemIO
import Testing

@testable import RuntimeService

private let web = ImageName(repository: "web", tag: "1")
private let other = ImageName(repository: "other", tag: "1")

@Suite("Reservations")
@EventLoop
struct ReservationsTests {
    private let reservations = Reservations()

    /// An operation that goes on until it is told to end.
    @EventLoop
    private final class Operation {
        private(set) var hasBegun = false
        private var end: CheckedContinuation<Void, Never>?
        private var hasToEnd = false

        nonisolated init() {}

        func run() async {
            hasBegun = true
            guard !hasToEnd else { return }
            await withCheckedContinuation { end = $0 }
        }

        func finish() {
            hasToEnd = true
            end?.resume()
            end = nil
        }
    }

    /// Lets everything that can go on do so.
    private func settle() async {
        for _ in 0..<20 { await Task.yield() }
    }

    private func isRefused(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch {
            guard case RuntimeError.stillNeeded = error else { return false }
            return true
        }
    }

    @Test(
        "What is being put to use is not removed",
        arguments: [
            Reservations.Things(images: [web]), .init(imageIDs: ["sha256:a"]), .init(isLoad: true),
        ])
    func useKeeps(_ things: Reservations.Things) async throws {
        let operation = Operation()
        let use = Task { try await reservations.use(things) { await operation.run() } }
        await settle()
        try await reservations.remove { removal in
            #expect(isRefused { try removal.claim(image: "sha256:a", names: [web]) })
        }
        operation.finish()
        try await use.value
        try await reservations.remove { removal in
            #expect(!isRefused { try removal.claim(image: "sha256:a", names: [web]) })
        }
    }

    @Test("Containers and volumes likewise")
    func others() async throws {
        let operation = Operation()
        let use = Task {
            try await reservations.use(.init(containers: ["web"], volumes: ["data"])) {
                await operation.run()
            }
        }
        await settle()
        try await reservations.remove { removal in
            #expect(isRefused { try removal.claim(container: "web") })
            #expect(isRefused { try removal.claim(volume: "data") })
            #expect(!isRefused { try removal.claim(container: "other") })
        }
        operation.finish()
        try await use.value
    }

    @Test("Who uses something else goes on while a removal is at it; who uses that waits")
    func removalKeepsOut() async throws {
        let (removal, same, different, load) = (
            Operation(), Operation(), Operation(), Operation()
        )
        for operation in [same, different, load] { operation.finish() }
        let removing = Task {
            try await reservations.remove { claim in
                try claim.claim(image: "sha256:a", names: [web])
                await removal.run()
            }
        }
        await settle()
        let tasks = [
            (Reservations.Things(images: [web]), same), (.init(images: [other]), different),
            (.init(isLoad: true), load),
        ].map { things, operation in
            Task { try await reservations.use(things) { await operation.run() } }
        }
        await settle()
        #expect(different.hasBegun)
        #expect(!same.hasBegun)
        #expect(!load.hasBegun)
        removal.finish()
        try await removing.value
        for task in tasks { try await task.value }
        #expect(same.hasBegun && load.hasBegun)
    }

    @Test("Until a removal has said what it removes, everybody waits; a failed one lets go")
    func unclaimed() async throws {
        let (removal, use) = (Operation(), Operation())
        use.finish()
        let removing = Task {
            try await reservations.remove { _ in
                await removal.run()
                throw RuntimeError.stillNeeded("web", reason: "it is")
            }
        }
        await settle()
        let using = Task {
            try await reservations.use(.init(containers: ["web"])) { await use.run() }
        }
        await settle()
        #expect(!use.hasBegun)
        removal.finish()
        await #expect(throws: RuntimeError.self) { try await removing.value }
        try await using.value
        #expect(use.hasBegun)
    }

    @Test("One removal at a time")
    func oneAtATime() async throws {
        let (first, second) = (Operation(), Operation())
        second.finish()
        let tasks = [first, second].map { operation in
            Task { try await reservations.remove { _ in await operation.run() } }
        }
        await settle()
        #expect(first.hasBegun && !second.hasBegun)
        first.finish()
        for task in tasks { try await task.value }
        #expect(second.hasBegun)
    }
}
