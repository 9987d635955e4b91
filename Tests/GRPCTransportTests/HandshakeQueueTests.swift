import Testing

@testable import GRPCTransport

@Suite struct TimeBucketTests {
    private let start = ContinuousClock.now
    private let limit = TimeLimit(burst: .milliseconds(100), share: 0.25)

    @Test func debtIsPaidOffByTheShareOfTime() {
        var bucket = TimeBucket(limit, at: start)
        #expect(bucket.isFull && bucket.readyAt <= start)
        bucket.spend(.milliseconds(99))
        #expect(bucket.readyAt <= start)
        bucket.spend(.milliseconds(11))
        // 10 ms too much, which take four times as long.
        #expect(bucket.readyAt > start + .milliseconds(40))
        #expect(bucket.readyAt < start + .milliseconds(41))
        bucket.refill(at: start + .milliseconds(39))
        #expect(bucket.readyAt > start + .milliseconds(39))
        bucket.refill(at: start + .milliseconds(41))
        #expect(bucket.readyAt <= start + .milliseconds(41))
    }

    @Test func restFillsItNoFurtherThanTheBurst() {
        var bucket = TimeBucket(limit, at: start)
        bucket.spend(.milliseconds(1))
        bucket.refill(at: start + .seconds(3600))
        #expect(bucket.isFull)
        bucket.spend(.milliseconds(101))
        #expect(bucket.readyAt > start + .seconds(3600))
    }

    @Test func clockThatGoesBackTakesNothing() {
        var bucket = TimeBucket(limit, at: start)
        bucket.refill(at: start - .seconds(5))
        #expect(bucket.isFull)
    }
}

@Suite struct HandshakeQueueTests {
    private typealias Queue = HandshakeQueue<Int>
    private let start = ContinuousClock.now
    private let limits = Queue.Limits(
        source: TimeLimit(burst: .milliseconds(10), share: 0.1),
        total: TimeLimit(burst: .milliseconds(50), share: 0.5))

    /// Runs what the queue has until it wants to wait, each at the cost given.
    private func run(
        _ queue: inout Queue, cost: Duration, of sources: [Int: String],
        at now: ContinuousClock.Instant
    ) -> (order: [Int], end: Queue.Next) {
        var order: [Int] = []
        while true {
            let next = queue.next(at: now)
            guard case .run(let id) = next, let source = sources[id] else { return (order, next) }
            order.append(id)
            queue.spent(cost, by: source, at: now)
        }
    }

    private func filled(_ sources: [(Int, String)]) -> (Queue, [Int: String]) {
        var queue = Queue(limits, at: start)
        for (id, source) in sources { queue.append(id, from: source, at: start) }
        return (queue, Dictionary(uniqueKeysWithValues: sources))
    }

    @Test func sourcesTakeTurns() {
        var (queue, sources) = filled([
            (1, "flood"), (2, "flood"), (3, "flood"), (4, "other"), (5, "other"), (6, "third"),
        ])
        let ran = run(&queue, cost: .zero, of: sources, at: start)
        #expect(ran.order == [1, 4, 6, 2, 5, 3])
        #expect(ran.end == .idle)
    }

    @Test func sourceThatHasSpentItsTimeWaitsAndOthersDoNot() throws {
        var (queue, sources) = filled(
            (1...9).map { ($0, "flood") } + [(10, "other"), (11, "other")])
        let ran = run(&queue, cost: .milliseconds(4), of: sources, at: start)
        // Three each are less than ten milliseconds when they begin.
        #expect(ran.order == [1, 10, 2, 11, 3])
        guard case .wait(let time) = ran.end else { return #expect(Bool(false)) }
        // 2 ms of debt, at a tenth.
        #expect(time > start + .milliseconds(20) && time < start + .milliseconds(21))
        #expect(queue.next(at: time) == .run(4))
    }

    @Test func manySourcesAreBoundedTogether() throws {
        var (queue, sources) = filled((1...100).map { ($0, "source \($0)") })
        let ran = run(&queue, cost: .milliseconds(9), of: sources, at: start)
        #expect(ran.order == Array(1...6))
        guard case .wait(let time) = ran.end else { return #expect(Bool(false)) }
        #expect(time > start + .milliseconds(8) && time < start + .milliseconds(9))
        #expect(queue.next(at: time) == .run(7))
    }

    @Test func handshakeThatIsOverDoesNotGetATurn() {
        var (queue, sources) = filled([(1, "a"), (2, "a"), (3, "b")])
        queue.remove(1)
        queue.remove(3)
        queue.remove(99)
        #expect(!queue.contains(1) && queue.contains(2))
        let ran = run(&queue, cost: .zero, of: sources, at: start)
        #expect(ran.order == [2] && ran.end == .idle && queue.isEmpty)
    }

    @Test func handshakeWaitsOnlyOnce() {
        var (queue, sources) = filled([(1, "a")])
        queue.append(1, from: "a", at: start)
        #expect(run(&queue, cost: .zero, of: sources, at: start).order == [1])
        queue.append(1, from: "a", at: start)
        #expect(run(&queue, cost: .zero, of: sources, at: start).order == [1])
    }

    @Test func debtIsRememberedWhateverNumberOfSourcesThereIs() {
        var queue = Queue(limits, at: start)
        queue.spent(.milliseconds(20), by: "flood", at: start)
        // Others come and go for a while, at no cost.
        for number in 0..<1000 {
            queue.append(number, from: "source \(number)", at: start + .milliseconds(50))
            #expect(queue.next(at: start + .milliseconds(50)) == .run(number))
        }
        queue.append(-1, from: "flood", at: start + .milliseconds(60))
        guard case .wait = queue.next(at: start + .milliseconds(60)) else {
            return #expect(Bool(false))
        }
    }
}
