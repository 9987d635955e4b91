/// Decides which TLS handshake goes on next, and when. Pure: times and costs are given to it.
///
/// A handshake costs the server much more than the client, which may replay a ClientHello. Sources
/// take turns, so that one of them does not delay the handshakes of others, and each may use only
/// so much processor time, as do all together. What exceeds that waits.
struct HandshakeQueue<ID: Hashable> {
    struct Limits: Hashable, Sendable {
        /// Of one source: a thousand handshakes or more at once, for a controller that connects
        /// again to everything behind one address, and then hundreds a second.
        var source = TimeLimit(burst: .seconds(1), share: 0.2)
        /// Of all sources, so that half of a processor is left for connections that are open.
        var total = TimeLimit(burst: .seconds(2), share: 0.5)
    }

    enum Next: Equatable {
        /// Nothing waits.
        case idle
        /// What waits may go on at this time.
        case wait(until: ContinuousClock.Instant)
        case run(ID)
    }

    private struct Source {
        var bucket: TimeBucket
        var waiting: [ID] = []
    }

    private let limits: Limits
    private var total: TimeBucket
    private var sources: [String: Source] = [:]
    /// The sources with something waiting, in the order of their turns.
    private var turns: [String] = []
    private var sourceOf: [ID: String] = [:]
    /// Sources that are remembered before those with full buckets are forgotten.
    private static var maxIdleSources: Int { 256 }

    init(_ limits: Limits, at now: ContinuousClock.Instant) {
        self.limits = limits
        total = TimeBucket(limits.total, at: now)
    }

    var isEmpty: Bool { turns.isEmpty }

    func contains(_ id: ID) -> Bool { sourceOf[id] != nil }

    /// A handshake of the source can go on.
    mutating func append(_ id: ID, from source: String, at now: ContinuousClock.Instant) {
        guard sourceOf[id] == nil else { return }
        if sources.count > Self.maxIdleSources { forget(at: now) }
        sourceOf[id] = source
        var entry = sources[source] ?? Source(bucket: TimeBucket(limits.source, at: now))
        if entry.waiting.isEmpty { turns.append(source) }
        entry.waiting.append(id)
        sources[source] = entry
    }

    /// The handshake is over before its turn.
    mutating func remove(_ id: ID) {
        guard let source = sourceOf.removeValue(forKey: id), var entry = sources[source] else {
            return
        }
        entry.waiting.removeAll { $0 == id }
        if entry.waiting.isEmpty { turns.removeAll { $0 == source } }
        sources[source] = entry
    }

    /// Takes the next handshake out.
    mutating func next(at now: ContinuousClock.Instant) -> Next {
        guard !turns.isEmpty else { return .idle }
        total.refill(at: now)
        guard total.readyAt <= now else { return .wait(until: total.readyAt) }
        var earliest: ContinuousClock.Instant?
        for (index, source) in turns.enumerated() {
            guard var entry = sources[source], let id = entry.waiting.first else { continue }
            entry.bucket.refill(at: now)
            guard entry.bucket.readyAt <= now else {
                earliest = min(earliest ?? entry.bucket.readyAt, entry.bucket.readyAt)
                continue
            }
            entry.waiting.removeFirst()
            sourceOf[id] = nil
            turns.remove(at: index)
            if !entry.waiting.isEmpty { turns.append(source) }
            sources[source] = entry
            return .run(id)
        }
        return earliest.map { .wait(until: $0) } ?? .idle
    }

    /// A handshake of the source was gone on with, at this cost.
    mutating func spent(
        _ cost: Duration, by source: String, at now: ContinuousClock.Instant
    ) {
        total.refill(at: now)
        total.spend(cost)
        var entry = sources[source] ?? Source(bucket: TimeBucket(limits.source, at: now))
        entry.bucket.refill(at: now)
        entry.bucket.spend(cost)
        sources[source] = entry
    }

    private mutating func forget(at now: ContinuousClock.Instant) {
        sources = sources.filter { _, entry in
            var bucket = entry.bucket
            bucket.refill(at: now)
            return !entry.waiting.isEmpty || !bucket.isFull
        }
    }
}
