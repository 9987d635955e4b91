/// How often something may happen: at once, and for long.
public struct RateLimit: Hashable, Sendable {
    /// How many at once, after a time of none.
    public var burst: Int
    /// How many a second for ever.
    public var perSecond: Int

    public init(burst: Int, perSecond: Int) {
        self.burst = burst
        self.perSecond = perSecond
    }
}

/// Keeps something to a ``RateLimit``. Pure: the time is given to it.
public struct TokenBucket: Sendable {
    public let limit: RateLimit
    private var tokens: Int
    /// Up to when the tokens that time brings have been added.
    private var refilled: ContinuousClock.Instant

    /// A full bucket.
    public init(_ limit: RateLimit, at now: ContinuousClock.Instant) {
        self.limit = limit
        tokens = limit.burst
        refilled = now
    }

    /// Takes a token.
    ///
    /// - Returns: whether there was one.
    public mutating func take(at now: ContinuousClock.Instant) -> Bool {
        refill(now)
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }

    /// Puts tokens in for what the peer has done to deserve them; a full bucket stays as it is.
    public mutating func earn(_ count: Int) {
        tokens = min(limit.burst, tokens + count)
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        guard limit.perSecond > 0, tokens < limit.burst else {
            refilled = max(refilled, now)
            return
        }
        let interval = Duration.seconds(1) / limit.perSecond
        let elapsed = now - refilled
        guard elapsed >= interval else { return }
        guard elapsed < interval * (limit.burst - tokens) else {
            tokens = limit.burst
            refilled = now
            return
        }
        let earned = Int(elapsed / interval)
        tokens += earned
        // What is left of the interval counts for the next token.
        refilled += interval * earned
    }
}
