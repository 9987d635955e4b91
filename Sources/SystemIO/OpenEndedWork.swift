/// Work without an end of its own, such as following a log: it goes on until whoever wants it has
/// had enough, and must not keep a daemon that is to stop.
@EventLoop
public final class OpenEndedWork {
    /// It ended because the daemon stops.
    public struct Stopped: Error, Hashable, Sendable {
        public init() {}
    }

    private var tasks: [Int: Task<Void, any Error>] = [:]
    private var next = 0
    private var isStopped = false

    public nonisolated init() {}

    /// Runs `body` to its end, or until the daemon stops.
    ///
    /// - Throws: ``Stopped``, and what `body` throws.
    public func run(_ body: @escaping @EventLoop () async throws -> Void) async throws {
        guard !isStopped else { throw Stopped() }
        let task = EventLoop.task { try await body() }
        let number = next
        next += 1
        tasks[number] = task
        defer { tasks[number] = nil }
        do {
            try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch is CancellationError where isStopped {
            throw Stopped()
        }
    }

    /// Cancels all there is, and takes no more.
    public func stop() {
        isStopped = true
        for task in tasks.values { task.cancel() }
    }
}
