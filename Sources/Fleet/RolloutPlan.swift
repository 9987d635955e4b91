/// In which steps a fleet is brought to something new, and when that is given up.
public struct RolloutPlan: Hashable, Sendable {
    /// So many devices come first, and have to be well before any other begins; 0 for none.
    public var canary: Int
    /// How many come after that, a step; nil for all of them.
    public var batch: Share?
    /// Between two steps.
    public var pause: Duration?
    /// When more than these have failed, no further device begins; nil for any number.
    public var maximumFailures: Share?

    public init(
        canary: Int = 0, batch: Share? = nil, pause: Duration? = nil,
        maximumFailures: Share? = nil
    ) {
        self.canary = canary
        self.batch = batch
        self.pause = pause
        self.maximumFailures = maximumFailures
    }

    /// The steps for so many devices, each from a first to behind a last one.
    func steps(of total: Int) -> [Range<Int>] {
        var steps: [Range<Int>] = []
        var next = min(canary, total)
        if next > 0 { steps.append(0..<next) }
        let size = batch?.atLeastOne(of: total) ?? total
        while next < total {
            let end = next + min(size, total - next)
            steps.append(next..<end)
            next = end
        }
        return steps
    }
}
