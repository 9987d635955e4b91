/// Lets one task at a time do something, in the order in which they come.
@EventLoop
public final class Turns {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    public nonisolated init() {}

    /// Runs `body` when those that came before have ended, also when the task is cancelled.
    public func take<Result>(
        _ body: @EventLoop () async throws -> Result
    ) async rethrows -> Result {
        await withCheckedContinuation { continuation in
            if isTaken {
                waiting.append(continuation)
            } else {
                isTaken = true
                continuation.resume()
            }
        }
        defer { pass() }
        return try await body()
    }

    private func pass() {
        if waiting.isEmpty {
            isTaken = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
