import Glibc
import SystemIO

/// The thread of a server's handshakes. It is kept from one to the next, since OpenSSL sets up random
/// number generators for each thread, and ended when there are none.
///
/// `@unchecked Sendable`: the state is touched only with the lock held.
final class HandshakeWorker: @unchecked Sendable {
    private struct State {
        var isRunning = false
        var isStopped = false
        var job: (@Sendable () -> Void)?
    }

    private let condition = Condition()
    private var state = State()

    /// The loop comes first where there is one processor for both, nice(2).
    private static let niceness: CInt = 5

    /// Has the thread do something. The last one has been done by then.
    func carryOut(_ job: @escaping @Sendable () -> Void) {
        condition.lock()
        defer { condition.unlock() }
        state.job = job
        condition.signal()
        guard !state.isRunning else { return }
        state.isRunning = true
        EventLoop.task { [self] in
            do {
                try await withOwnThread(named: "handshakes") { self.run() }
            } catch {
                // No thread can be made now: done here, and the next one tries again.
                takeBack()?()
            }
        }
    }

    /// Ends the thread when it has nothing to do; the next job begins another one.
    func stop() {
        condition.lock()
        state.isStopped = state.isRunning
        condition.signal()
        condition.unlock()
    }

    private func takeBack() -> (@Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        state.isRunning = false
        defer { state.job = nil }
        return state.job
    }

    private func run() {
        setpriority(CInt(PRIO_PROCESS.rawValue), 0, Self.niceness)
        while let job = next() { job() }
    }

    private func next() -> (@Sendable () -> Void)? {
        condition.lock()
        defer { condition.unlock() }
        while state.job == nil, !state.isStopped { condition.wait() }
        guard let job = state.job else {
            state.isRunning = false
            state.isStopped = false
            return nil
        }
        state.job = nil
        return job
    }
}
