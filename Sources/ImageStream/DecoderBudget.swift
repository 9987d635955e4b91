import Synchronization

/// The memory that all decoders of a process may have together.
///
/// A decoder that finds too little of it left fails at once: it would have to wait for as long as
/// another client cares to send an archive, and two archives, each waiting for the memory of its
/// layers, would wait for each other.
final class DecoderBudget: Sendable {
    /// Room for two of the largest windows, an archive's and its layer's, and for 16 archives at
    /// once with the windows of usual tools, 8 MiB at most.
    static let shared = DecoderBudget(limit: 160 << 20)

    let limit: Int
    private let taken = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// What a decoder has of the budget; given back when it is released.
    final class Share {
        private let budget: DecoderBudget
        private var size = 0

        fileprivate init(of budget: DecoderBudget) { self.budget = budget }

        deinit { budget.taken.withLock { $0 -= size } }

        /// Has it hold at least `wanted` bytes.
        ///
        /// - Returns: whether there was enough left.
        func grow(to wanted: Int) -> Bool {
            let more = wanted - size
            guard more > 0 else { return true }
            let isGranted = budget.taken.withLock { taken in
                guard taken + more <= budget.limit else { return false }
                taken += more
                return true
            }
            if isGranted { size = wanted }
            return isGranted
        }
    }

    /// An empty share.
    func share() -> Share { Share(of: self) }
}
