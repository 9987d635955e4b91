import SystemIO

/// Listings in progress, a few of each principal: others of the same principal wait. Listing costs
/// the engine most, and a client that asks for many at a time delays only itself.
@EventLoop
final class Listings {
    /// At a time; more make none of them faster.
    private static let maximum = 2

    private struct Queue {
        var running = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private var queues: [String: Queue] = [:]

    nonisolated init() {}

    /// Runs `body` when it is the principal's turn.
    ///
    /// - Throws: `CancellationError` when the task was cancelled by then, and what `body` throws.
    func run<Result>(
        of principal: String, _ body: @EventLoop () async throws -> Result
    ) async throws -> Result {
        if queues[principal, default: Queue()].running < Self.maximum {
            queues[principal, default: Queue()].running += 1
        } else {
            // The work that ends hands over its place.
            await withCheckedContinuation { queues[principal]?.waiting.append($0) }
        }
        defer { pass(principal) }
        try Task.checkCancellation()
        return try await body()
    }

    private func pass(_ principal: String) {
        guard var queue = queues[principal] else { return }
        if queue.waiting.isEmpty {
            queue.running -= 1
            queues[principal] = queue.running == 0 ? nil : queue
        } else {
            let next = queue.waiting.removeFirst()
            queues[principal] = queue
            next.resume()
        }
    }
}
