/// Isolation to the process's network thread.
///
/// State marked `@EventLoop` is touched by that thread alone; callbacks of C libraries driven
/// from it re-enter with `EventLoop.assumeIsolated`.
@globalActor
public actor EventLoop {
    public static let shared = EventLoop()

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        EventLoopExecutor.shared.asUnownedSerialExecutor()
    }

    /// Runs `body` at once, on the claim, which is checked, that this is the loop's thread.
    @inline(__always)
    public static func assumeIsolated<Result, Failure: Error>(
        _ body: @EventLoop () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        EventLoopExecutor.shared.checkIsolated()
        typealias Unisolated = () throws(Failure) -> Result
        // The only difference between the two types is the isolation just checked.
        return try withoutActuallyEscaping(body) { (body) throws(Failure) -> Result in
            try unsafeBitCast(body, to: Unisolated.self)()
        }
    }

    /// Runs `body` at once, as `assumeIsolated(_:)`, with a value that a C callback was given:
    /// it was on this thread all along, so that it is not Sendable does not matter.
    @inline(__always)
    public static func assumeIsolated<Value, Result>(
        with value: Value, _ body: @EventLoop (Value) -> Result
    ) -> Result {
        EventLoopExecutor.shared.checkIsolated()
        typealias Unisolated = (Value) -> Result
        return withoutActuallyEscaping(body) { body in
            unsafeBitCast(body, to: Unisolated.self)(value)
        }
    }

    /// Runs `body` soon on the loop's thread, from any thread.
    public static func enqueue(_ body: @escaping @Sendable @EventLoop () -> Void) {
        task { body() }
    }

    /// Begins a task that nobody's scope waits for, with what it calls on the loop's thread too:
    /// one of `Task { }` would leave for another thread, and come back, at each function of a
    /// library that belongs to no actor.
    @discardableResult
    public static func task<Success: Sendable>(
        _ body: @escaping @Sendable @EventLoop () async -> Success
    ) -> Task<Success, Never> {
        Task(executorPreference: EventLoopExecutor.shared, operation: body)
    }

    /// Likewise, for what may fail.
    @discardableResult
    public static func task<Success: Sendable>(
        _ body: @escaping @Sendable @EventLoop () async throws -> Success
    ) -> Task<Success, any Error> {
        Task(executorPreference: EventLoopExecutor.shared, operation: body)
    }

    /// Runs `body` once the tasks that are ready now have had their turn and before the loop
    /// sleeps: the place to write out what they produced, in one go.
    @EventLoop
    public static func atEndOfTurn(_ body: @escaping @EventLoop () -> Void) {
        EventLoopExecutor.shared.addEndOfTurn(body)
    }

    /// Waits without holding a thread.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    @EventLoop
    public static func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    sleeper.start(duration, continuation)
                }
            }
        } onCancel: {
            EventLoop.enqueue { sleeper.cancel() }
        }
    }

    @EventLoop
    private final class Sleeper {
        private var timer: Timer?
        private var continuation: CheckedContinuation<Void, any Error>?

        nonisolated init() {}

        func start(_ duration: Duration, _ continuation: CheckedContinuation<Void, any Error>) {
            self.continuation = continuation
            timer = Timer(after: duration) { [self] in finish(.success(())) }
        }

        func cancel() {
            timer?.cancel()
            finish(.failure(CancellationError()))
        }

        private func finish(_ result: Result<Void, any Error>) {
            continuation?.resume(with: result)
            continuation = nil
            timer = nil
        }
    }
}
