import Testing

@testable import SystemIO

@Suite("Work without an end of its own", .timeLimit(.minutes(1))) struct OpenEndedWorkTests {
    private struct Failure: Error {}

    @Test @EventLoop func itEndsWhenTheDaemonStops() async {
        let work = OpenEndedWork()
        let waiter = Waiter()
        let begun = Waiter()
        let running = EventLoop.task {
            try await work.run {
                begun.wake()
                try await waiter.wait()
            }
        }
        try? await begun.wait()
        work.stop()
        await #expect(throws: OpenEndedWork.Stopped.self) { try await running.value }
        // Nor does any begin.
        await #expect(throws: OpenEndedWork.Stopped.self) {
            try await work.run { Issue.record("it ran") }
        }
    }

    @Test @EventLoop func whoeverWantsItMayHaveHadEnough() async {
        let work = OpenEndedWork()
        let waiter = Waiter()
        let running = EventLoop.task { try await work.run { try await waiter.wait() } }
        running.cancel()
        await #expect(throws: CancellationError.self) { try await running.value }
        await #expect(throws: Failure.self) { try await work.run { throw Failure() } }
        work.stop()
    }

    @Test @EventLoop func whatFailsByItselfWhileItStopsSaysWhy() async {
        let work = OpenEndedWork()
        await #expect(throws: Failure.self) {
            try await work.run {
                work.stop()
                throw Failure()
            }
        }
    }
}
