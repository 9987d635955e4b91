import CSystem
import Glibc

/// Runs work that blocks or computes for long on a thread of its own, and waits for it without
/// holding the event loop or a thread of the cooperative pool.
///
/// A thread a call: callers bound how many run at once. Cancelling the task does not interrupt
/// the work; give it a descriptor to be closed or a flag to look at.
///
/// - Parameter name: shown by the debugger and ps(1); the kernel keeps 15 bytes.
/// - Throws: what `body` throws, or `SystemError` when no thread could be made.
public func withOwnThread<Result: Sendable>(
    named name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let work = Unmanaged.passRetained(
            ThreadWork(name: name) { continuation.resume(with: Swift.Result(catching: body)) })
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue()
                cz_name_thread(String(work.name.prefix(15)))
                work.body()
                return nil
            }, work.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            work.release()
            continuation.resume(throwing: SystemError("pthread_create", code: status))
        }
    }
}

private final class ThreadWork: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}
