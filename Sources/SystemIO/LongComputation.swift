/// Computations that take milliseconds or more, such as decoding large documents: run away from the
/// event loop, a few at a time, so that they hold up neither the loop nor the device.
@EventLoop
public enum LongComputation {
    /// Threads at a time: the loop and the engine need a processor as well.
    private static let maximum = 2

    private static var running = 0
    private static var waiting: [CheckedContinuation<Void, Never>] = []

    /// Runs `body` on a thread of its own, once its turn has come.
    ///
    /// - Throws: what `body` throws, or `SystemError` when no thread could be made.
    public static func run<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        if running < maximum {
            running += 1
        } else {
            // The work that ends hands over its place.
            await withCheckedContinuation { waiting.append($0) }
        }
        defer { pass() }
        return try await withOwnThread(named: "computation", body)
    }

    private static func pass() {
        if waiting.isEmpty {
            running -= 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}

/// Tasks that wait for a turn of the loop: one of them goes on in each, so that the turns stay
/// short however many there are.
@EventLoop
private enum TurnQueue {
    private static var waiting: [CheckedContinuation<Void, Never>] = []
    private static var isScheduled = false

    static func wait() async {
        await withCheckedContinuation { continuation in
            waiting.append(continuation)
            schedule()
        }
    }

    private static func schedule() {
        guard !isScheduled, !waiting.isEmpty else { return }
        isScheduled = true
        EventLoop.atEndOfTurn {
            isScheduled = false
            waiting.removeFirst().resume()
            schedule()
        }
    }
}

extension EventLoop {
    /// Waits until sockets, timers and other tasks have had their turn. A loop over many elements
    /// calls it every few milliseconds.
    @EventLoop
    public static func nextTurn() async { await TurnQueue.wait() }
}
