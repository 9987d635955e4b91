import Testing

@testable import SystemIO

@Suite("One task that waits") struct WaiterTests {
    @Test @EventLoop func aWakeBeforeTheWaitIsNotLost() async throws {
        let waiter = Waiter()
        waiter.wake()
        waiter.wake()
        try await waiter.wait()
        // Two were one: the condition is looked at only once.
        let waiting = Task { @EventLoop in try await waiter.wait() }
        await Task.yield()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
