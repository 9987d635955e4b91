import Glibc
import Synchronization
import SystemIO
import Testing

struct LongComputationTests {
    private final class Counts: Sendable {
        private let state = Mutex((now: 0, most: 0))

        var most: Int { state.withLock { $0.most } }

        func begin() {
            state.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }

        func end() { state.withLock { $0.now -= 1 } }
    }

    @Test(.timeLimit(.minutes(1))) func onlyAFewRunAtATime() async throws {
        let counts = Counts()
        try await withThrowingTaskGroup { group in
            for number in 0..<16 {
                group.addTask {
                    let result = try await LongComputation.run {
                        counts.begin()
                        // Long enough for the others to begin if they could.
                        usleep(2000)
                        counts.end()
                        return number
                    }
                    #expect(result == number)
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.most == 2)
    }

    @Test(.timeLimit(.minutes(1))) func whatItThrowsComesBack() async throws {
        await #expect(throws: CancellationError.self) {
            try await LongComputation.run { throw CancellationError() }
        }
        #expect(try await LongComputation.run { 1 } == 1)
    }

    /// However many tasks work in slices, between two turns only one of them goes on.
    @Test(.timeLimit(.minutes(1))) func oneSliceATurn() async throws {
        try await run()
    }

    @EventLoop private func run() async throws {
        var slices = 0
        var turns: [Int] = []
        var isOver = false
        func watch() {
            turns.append(slices)
            slices = 0
            if !isOver { _ = EventLoop.Timer(after: .zero) { watch() } }
        }
        watch()
        let tasks = (0..<20).map { _ in
            EventLoop.task { @EventLoop in
                for _ in 0..<20 {
                    await EventLoop.nextTurn()
                    slices += 1
                }
            }
        }
        for task in tasks { await task.value }
        isOver = true
        #expect(turns.count > 20)
        #expect(turns.dropFirst().allSatisfy { $0 <= 2 })
    }
}
