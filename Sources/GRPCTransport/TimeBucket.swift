/// How much processor time something may take.
struct TimeLimit: Hashable, Sendable {
    /// At once, after a time of none.
    var burst: Duration
    /// The part of each second after that.
    var share: Double
}

/// Keeps something to a ``TimeLimit``, whose cost is known only when it is done. Pure: the time is
/// given to it.
struct TimeBucket: Sendable {
    private let limit: TimeLimit
    /// What may be spent; below zero after something that cost more than there was.
    private var balance: Duration
    private var refilled: ContinuousClock.Instant

    /// A full bucket.
    init(_ limit: TimeLimit, at now: ContinuousClock.Instant) {
        self.limit = limit
        balance = limit.burst
        refilled = now
    }

    mutating func refill(at now: ContinuousClock.Instant) {
        guard now > refilled else { return }
        balance = min(limit.burst, balance + (now - refilled) * limit.share)
        refilled = now
    }

    mutating func spend(_ cost: Duration) { balance -= cost }

    var isFull: Bool { balance >= limit.burst }

    /// When something may be spent again, as of the last refill.
    var readyAt: ContinuousClock.Instant {
        balance > .zero ? refilled : refilled + (.nanoseconds(1) - balance) / limit.share
    }
}
