/// Who has to go when a connection comes and all places of its endpoint are taken. Pure.
struct ConnectionAdmission {
    /// What a connection is doing.
    enum Phase: Hashable {
        /// TLS or HTTP/2 is not up yet, so nobody knows whether it ever will be.
        case handshaking
        /// No RPC was let in yet; it has been up since the given time.
        case unproven(since: ContinuousClock.Instant)
        /// No RPC, since the given time.
        case idle(since: ContinuousClock.Instant)
        case busy
    }

    struct Entry<ID> {
        var id: ID
        /// The peer's address without its port.
        var peer: String
        /// Counts up with each connection.
        var number: UInt64
        var phase: Phase
    }

    enum Verdict<ID> {
        case admit
        /// Admit after closing another one.
        case evict(ID, PeerViolation)
        case refuse(PeerViolation)
    }

    var maximum: Int
    var maximumPerPeer: Int

    /// Decides about a connection from `peer` beside those there are.
    ///
    /// Over a peer's own limit only its own connections go, so that nobody pays for a neighbour.
    /// Handshakes go first, those of the peer that has most of them, the oldest before the newer: an
    /// honest one takes milliseconds, and a flood of half-open ones then only pushes itself out.
    /// Next goes who has been up for
    /// longest without an RPC that was let in, and then the one that has been idle for longest,
    /// whose client simply connects again. Those with RPCs stay.
    func admit<ID>(peer: String, beside entries: some Sequence<Entry<ID>>) -> Verdict<ID> {
        let all = Array(entries)
        let own = all.filter { $0.peer == peer }
        if own.count >= maximumPerPeer {
            return makeRoom(among: own, .tooManyConnectionsOfPeer(maximumPerPeer))
        }
        return all.count >= maximum ? makeRoom(among: all, .tooManyConnections(maximum)) : .admit
    }

    private func makeRoom<ID>(among entries: [Entry<ID>], _ reason: PeerViolation) -> Verdict<ID> {
        let handshakes = entries.filter { $0.phase == .handshaking }
        let counts = Dictionary(grouping: handshakes, by: \.peer).mapValues(\.count)
        let most = counts.values.max()
        let oldest = handshakes.lazy.filter { counts[$0.peer] == most }
            .min { $0.number < $1.number }
        if let oldest { return .evict(oldest.id, reason) }
        let unproven = longest(among: entries) {
            if case .unproven(let since) = $0 { since } else { nil }
        }
        let idle = longest(among: entries) {
            if case .idle(let since) = $0 { since } else { nil }
        }
        return (unproven ?? idle).map { .evict($0, reason) } ?? .refuse(reason)
    }

    /// The one for which the time that `since` takes from its phase is the earliest.
    private func longest<ID>(
        among entries: [Entry<ID>],
        _ since: (Phase) -> ContinuousClock.Instant?
    ) -> ID? {
        entries.compactMap { entry in since(entry.phase).map { (entry.id, $0) } }
            .min { $0.1 < $1.1 }?.0
    }
}
