import SystemIO

/// The memory that all connections of a server hold for messages, in both directions.
@EventLoop
final class BufferBudget {
    let limit: Int
    private(set) var held = 0
    /// Called at the end of a turn in which the limit was passed.
    var onExcess: (@EventLoop () -> Void)?
    private var isExcessReported = false
    /// Bytes by which streams may be ahead of us beyond their usual windows.
    private var widened = 0
    /// The part of the limit that these may have, all of them together.
    private static let shareForWidening = 4

    init(limit: Int) { self.limit = limit }

    var isExceeded: Bool { held > limit }

    /// Lets a stream be ahead by more; as much as there is.
    func widen(by bytes: Int) -> Int {
        let granted = max(0, min(bytes, limit / Self.shareForWidening - widened))
        widened += granted
        return granted
    }

    /// A stream with a wider window is over.
    func narrow(by bytes: Int) { widened -= bytes }

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
