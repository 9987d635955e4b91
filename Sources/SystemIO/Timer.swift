extension EventLoop {
    /// Calls a handler once, after a delay, unless cancelled before.
    @EventLoop
    public final class Timer {
        fileprivate let deadline: ContinuousClock.Instant
        fileprivate let number: UInt64
        private var handler: (@EventLoop () -> Void)?
        private static var count: UInt64 = 0

        public init(after delay: Duration, _ handler: @escaping @EventLoop () -> Void) {
            deadline = ContinuousClock.now + delay
            Self.count += 1
            number = Self.count
            self.handler = handler
            EventLoopExecutor.shared.add(self)
        }

        public func cancel() {
            guard handler != nil else { return }
            handler = nil
            EventLoopExecutor.shared.remove(self)
        }

        func fire() {
            let handler = self.handler
            self.handler = nil
            handler?()
        }
    }
}

/// Timers in the order they are due; touched by the loop's thread alone.
///
/// A sorted array, soonest last: insertion is a binary search and a move of few bytes, which
/// beats a heap at the few hundred timers a daemon has.
struct TimerQueue {
    private struct Entry {
        var deadline: ContinuousClock.Instant
        var number: UInt64
        var timer: EventLoop.Timer

        func isAfter(_ other: (deadline: ContinuousClock.Instant, number: UInt64)) -> Bool {
            deadline == other.deadline ? number > other.number : deadline > other.deadline
        }
    }

    private var entries: [Entry] = []

    @EventLoop
    mutating func insert(_ timer: EventLoop.Timer) {
        let entry = Entry(deadline: timer.deadline, number: timer.number, timer: timer)
        entries.insert(entry, at: index(of: timer))
    }

    @EventLoop
    mutating func remove(_ timer: EventLoop.Timer) {
        let index = index(of: timer)
        if index < entries.count, entries[index].timer === timer { entries.remove(at: index) }
    }

    /// The first position whose entry is not after the timer.
    @EventLoop
    private func index(of timer: EventLoop.Timer) -> Int {
        let key = (timer.deadline, timer.number)
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].isAfter(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The next one that was due at a time; one that a timer sets as it fires is not.
    mutating func popExpired(at now: ContinuousClock.Instant) -> EventLoop.Timer? {
        guard let last = entries.last, last.deadline <= now else { return nil }
        return entries.removeLast().timer
    }

    /// The time epoll_wait may sleep: -1 for ever, rounded up so that it never wakes too early.
    func millisecondsToNext() -> CInt {
        guard let last = entries.last else { return -1 }
        let (seconds, attoseconds) = (last.deadline - .now).components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        if milliseconds.overflow { return CInt.max }
        return CInt(clamping: milliseconds.partialValue + attoseconds / 1_000_000_000_000_000 + 1)
    }
}
