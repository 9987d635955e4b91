/// One task of the loop waits here until it is woken; it looks at its condition before and after.
@EventLoop
public final class Waiter {
    private var continuation: CheckedContinuation<Void, any Error>?

    public nonisolated init() {}

    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    self.continuation = continuation
                }
            }
        } onCancel: {
            EventLoop.enqueue { self.resume(with: .failure(CancellationError())) }
        }
    }

    /// Lets the waiting task go on; nothing happens when none waits.
    public func wake() { resume(with: .success(())) }

    private func resume(with result: Result<Void, any Error>) {
        let continuation = self.continuation
        self.continuation = nil
        continuation?.resume(with: result)
    }
}
