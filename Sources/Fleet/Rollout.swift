/// The course of a rollout, without any device: told what has ended, it says what comes next.
public struct Rollout: Sendable {
    /// What comes next.
    public enum Step: Hashable, Sendable {
        /// The device of this index.
        case begin(Int)
        /// One of those that have begun has to end first.
        case wait
        /// Time has to pass.
        case pause(Duration)
        /// Nothing any more.
        case end
    }

    /// Why devices are left that were not touched.
    public enum StopReason: Hashable, Sendable, CustomStringConvertible {
        case canaryFailed
        /// More failed than may.
        case failures(allowed: Int)
        /// Somebody, or something beside the devices, wants it to stop.
        case asked

        public var description: String {
            switch self {
            case .canaryFailed: "a canary failed"
            case .failures(let allowed): "more than \(allowed) failed"
            case .asked: "it was stopped"
            }
        }
    }

    private let parallel: Int
    private let steps: [[Int]]
    private let canaries: Range<Int>
    private let pause: Duration?
    private let allowedFailures: Int?
    private var step = 0
    /// In the step.
    private var position = 0
    private var running = 0
    private var failures = 0
    private var waiting: Set<Int>
    /// Set once no further device begins.
    public private(set) var stopReason: StopReason?

    /// - Parameters:
    ///   - count: of all devices, also of those that are done: shares are shares of them.
    ///   - done: indices of those that were done before.
    ///   - parallel: the most devices at a time.
    public init(_ plan: RolloutPlan, count: Int, done: Set<Int> = [], parallel: Int) {
        self.parallel = parallel
        steps = plan.steps(of: count).map { $0.filter { !done.contains($0) } }
            .filter { !$0.isEmpty }
        canaries = 0..<min(plan.canary, count)
        pause = plan.pause
        allowedFailures = plan.maximumFailures?.atMost(of: count)
        waiting = Set(0..<count).subtracting(done)
    }

    /// Indices of the devices that were not touched, in order.
    public var untouched: [Int] { waiting.sorted() }

    /// Begin, wait or pause as it says, and ask again.
    public mutating func next() -> Step {
        guard stopReason == nil, step < steps.count else { return running > 0 ? .wait : .end }
        if position < steps[step].count {
            guard running < parallel else { return .wait }
            let index = steps[step][position]
            position += 1
            running += 1
            waiting.remove(index)
            return .begin(index)
        }
        guard running == 0 else { return .wait }
        step += 1
        position = 0
        guard step < steps.count else { return .end }
        if let pause { return .pause(pause) }
        return next()
    }

    /// A device that has begun has come to its end.
    public mutating func ended(_ index: Int, isWell: Bool) {
        running -= 1
        guard !isWell else { return }
        failures += 1
        if canaries.contains(index) {
            stop(.canaryFailed)
        } else if let allowedFailures, failures > allowedFailures {
            stop(.failures(allowed: allowedFailures))
        }
    }

    /// No further device begins. The first reason counts, and there is none when nothing is left.
    public mutating func stop(_ reason: StopReason) {
        if stopReason == nil, !waiting.isEmpty { stopReason = reason }
    }
}
