import SystemIO

/// The memory that all connections of a server hold for messages, in both directions.
@EventLoop
final class BufferBudget {
    let limit: Int
    private(set) var held = 0
    /// Called at the end of a turn in which the limit was passed.
    var onExcess: (@EventLoop () -> Void)?
    private var isExcessReported = false

    init(limit: Int) { self.limit = limit }

    var isExceeded: Bool { held > limit }

    func change(by bytes: Int) {
        held += bytes
        guard isExceeded, !isExcessReported else { return }
        isExcessReported = true
        // Not at once: this may be within a callback of the session that would be closed.
        EventLoop.atEndOfTurn { [weak self] in
            guard let self else { return }
            isExcessReported = false
            if isExceeded { onExcess?() }
        }
    }
}
