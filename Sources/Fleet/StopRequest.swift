public import SystemIO

/// Somebody's wish that no further device begins.
@EventLoop
public final class StopRequest {
    public private(set) var isMade = false
    private let waiter = Waiter()

    public nonisolated init() {}

    public func make() {
        isMade = true
        waiter.wake()
    }

    /// Waits for a while, or until the wish comes.
    func sleep(for duration: Duration) async {
        let timer = EventLoop.Timer(after: duration) { [waiter] in waiter.wake() }
        defer { timer.cancel() }
        if !isMade { try? await waiter.wait() }
    }
}
