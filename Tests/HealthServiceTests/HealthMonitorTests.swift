import GRPCHealth
import SystemIO
import Testing

@testable import HealthService

/// What is asked about, and how often it was.
@EventLoop
private final class Patient {
    var isWell = true
    var questions = 0
    /// Set to let questions wait.
    var holdsBack = false
    private var held: [CheckedContinuation<Void, Never>] = []

    nonisolated init() {}

    func answer() async -> Bool {
        questions += 1
        if holdsBack { await withCheckedContinuation { held.append($0) } }
        return isWell
    }

    func release() {
        holdsBack = false
        for continuation in held { continuation.resume() }
        held = []
    }
}

/// What a watcher was told.
@EventLoop
private final class Told {
    var statuses: [HealthMonitor.Status] = []
    nonisolated init() {}
}

@EventLoop
@Suite(.timeLimit(.minutes(1))) struct HealthMonitorTests {
    private let patient = Patient()
    private static let service = "a.B"
    private static let soon: Duration = .milliseconds(1)

    private func monitor(
        every interval: Duration = .seconds(3600), patience: Duration = .seconds(3600)
    ) -> HealthMonitor {
        HealthMonitor(of: [Self.service], every: interval, patience: patience) { [patient] in
            await patient.answer()
        }
    }

    private func watch(
        _ monitor: HealthMonitor, _ service: String, _ told: Told
    ) -> Task<Void, any Error> {
        Task { @EventLoop in
            try await monitor.watch(service) { told.statuses.append($0) }
        }
    }

    private func wait(until condition: @EventLoop () -> Bool) async throws {
        while !condition() { try await EventLoop.sleep(for: Self.soon) }
    }

    @Test func aKnownServiceIsAsWellAsWhatItNeeds() async {
        let monitor = monitor()
        for isWell in [true, false, true] {
            patient.isWell = isWell
            let expected: HealthMonitor.Status = isWell ? .serving : .notServing
            #expect(await monitor.status(of: "") == expected)
            #expect(await monitor.status(of: Self.service) == expected)
            #expect(await monitor.statuses() == ["": expected, Self.service: expected])
        }
    }

    @Test func anotherServiceIsNotKnownAndAsksNothing() async {
        #expect(await monitor().status(of: "a.C") == nil)
        #expect(patient.questions == 0)
    }

    @Test func manyWhoAskAtOnceAreOneQuestion() async throws {
        let monitor = monitor()
        patient.holdsBack = true
        let checks = (0..<10).map { _ in
            Task { @EventLoop in await monitor.status(of: "") }
        }
        try await wait { patient.questions == 1 }
        for _ in 0..<100 { await Task.yield() }
        patient.release()
        for check in checks { #expect(await check.value == .serving) }
        #expect(patient.questions == 1)
    }

    @Test func anAnswerThatDoesNotComeIsABadOne() async {
        let monitor = HealthMonitor(of: [], patience: Self.soon) {
            try? await EventLoop.sleep(for: .seconds(3600))
            return true
        }
        #expect(await monitor.status(of: "") == .notServing)
    }

    @Test func aWatcherHearsOfEveryChangeOnce() async throws {
        let monitor = monitor(every: Self.soon)
        let told = Told()
        let watching = watch(monitor, Self.service, told)
        try await wait { told.statuses == [.serving] }
        patient.isWell = false
        try await wait { told.statuses == [.serving, .notServing] }
        let questions = patient.questions
        try await wait { patient.questions > questions + 3 }
        patient.isWell = true
        try await wait { told.statuses.count == 3 }
        #expect(told.statuses == [.serving, .notServing, .serving])
        watching.cancel()
        await #expect(throws: CancellationError.self) { try await watching.value }
    }

    @Test func nothingIsAskedOnceNobodyWatches() async throws {
        let monitor = monitor(every: Self.soon)
        let (first, second) = (Told(), Told())
        let watches = [watch(monitor, "", first), watch(monitor, Self.service, second)]
        try await wait { !first.statuses.isEmpty && !second.statuses.isEmpty }
        #expect(monitor.isPolling)
        watches[0].cancel()
        _ = await watches[0].result
        #expect(monitor.isPolling)
        watches[1].cancel()
        _ = await watches[1].result
        #expect(!monitor.isPolling)
    }

    @Test func theWatchOfAnUnknownServiceStaysOpenAndAsksNothing() async throws {
        let monitor = monitor(every: Self.soon)
        let told = Told()
        let watching = watch(monitor, "a.C", told)
        try await wait { told.statuses == [.serviceUnknown] }
        #expect(!monitor.isPolling)
        #expect(patient.questions == 0)
        watching.cancel()
        await #expect(throws: CancellationError.self) { try await watching.value }
    }

    @Test func whenDrainingNothingServes() async throws {
        let monitor = monitor()
        let (known, unknown) = (Told(), Told())
        let watches = [watch(monitor, "", known), watch(monitor, "a.C", unknown)]
        try await wait { !known.statuses.isEmpty && !unknown.statuses.isEmpty }
        monitor.drain()
        for watching in watches {
            await #expect(throws: HealthMonitor.Draining.self) { try await watching.value }
        }
        #expect(known.statuses == [.serving, .notServing])
        #expect(unknown.statuses == [.serviceUnknown])
        #expect(await monitor.status(of: "") == .notServing)
        let late = Told()
        await #expect(throws: HealthMonitor.Draining.self) {
            try await watch(monitor, "", late).value
        }
        #expect(late.statuses == [.notServing])
    }
}
