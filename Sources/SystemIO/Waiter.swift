/// One task of the loop waits here until it is woken; it looks at its condition before and after.
@EventLoop
public final class Waiter {
    private var continuation: CheckedContinuation<Void, any Error>?
    /// Between the look at the condition and the continuation other tasks may have their turn: the
    /// compiler is free to suspend a task wherever it says `await`.
    private var isWoken = false

    public nonisolated init() {}

    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if isWoken {
                    isWoken = false
                    continuation.resume()
                } else if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    self.continuation = continuation
                }
            }
        } onCancel: {
            EventLoop.enqueue { self.resume(with: .failure(CancellationError())) }
        }
    }

    /// Lets the waiting task go on, or the next one that comes.
    public func wake() {
        if continuation == nil {
            isWoken = true
        } else {
            resume(with: .success(()))
        }
    }

    private func resume(with result: Result<Void, any Error>) {
        let continuation = self.continuation
        self.continuation = nil
        continuation?.resume(with: result)
    }
}
