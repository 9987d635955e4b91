import CSystem
import Glibc

/// What a descriptor is ready for, or what a watch waits for.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// The peer is gone or the descriptor is broken; always reported, with the other two so
    /// that the next read or write finds the reason.
    public static let hangup = Readiness(rawValue: 4)

    init(epoll events: UInt32) {
        var readiness: Readiness = []
        if events & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 {
            readiness.formUnion([.readable, .writable, .hangup])
        }
        self = readiness
    }

    var epoll: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0)
            | (contains(.writable) ? EPOLLOUT.rawValue : 0)
    }
}

/// Calls a handler each time a descriptor is ready, level-triggered.
///
/// The watch borrows the descriptor: whoever owns it cancels the watch before closing it.
@EventLoop
public final class Watch {
    public nonisolated let descriptor: CInt
    private let handler: @EventLoop (Readiness) -> Void
    private var token: UInt64?
    /// What is waited for now; with none of it even a hang-up is still reported.
    public private(set) var interest: Readiness

    /// - Throws: `SystemError` of epoll_ctl(2), such as EPERM for a regular file, which is
    ///   always ready.
    public init(
        _ descriptor: CInt, for interest: Readiness,
        _ handler: @escaping @EventLoop (Readiness) -> Void
    ) throws(SystemError) {
        self.descriptor = descriptor
        self.handler = handler
        self.interest = interest
        token = try EventLoopExecutor.shared.add(self, interest: interest)
    }

    /// Changes what is waited for.
    public func wait(for interest: Readiness) {
        guard let token, interest != self.interest else { return }
        self.interest = interest
        EventLoopExecutor.shared.modify(self, token: token, interest: interest)
    }

    /// Ends the watch; the handler is never called again.
    public func cancel() {
        guard let token else { return }
        self.token = nil
        EventLoopExecutor.shared.remove(self, token: token)
    }

    func deliver(_ readiness: Readiness) {
        handler(readiness)
    }

    /// Waits until the descriptor is ready once.
    ///
    /// - Parameter timeout: how long to wait at most; nil for as long as it takes.
    /// - Throws: `CancellationError`, ETIMEDOUT, or the `SystemError` of adding the watch.
    public static func once(
        _ descriptor: CInt, for interest: Readiness, timeout: Duration? = nil
    ) async throws {
        let wait = OneShot()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                wait.start(descriptor, interest, timeout, continuation)
            }
        } onCancel: {
            EventLoop.enqueue { wait.finish(.failure(CancellationError())) }
        }
    }

    @EventLoop
    private final class OneShot {
        private var watch: Watch?
        private var timer: EventLoop.Timer?
        private var continuation: CheckedContinuation<Void, any Error>?

        nonisolated init() {}

        func start(
            _ descriptor: CInt, _ interest: Readiness, _ timeout: Duration?,
            _ continuation: CheckedContinuation<Void, any Error>
        ) {
            self.continuation = continuation
            if Task.isCancelled { return finish(.failure(CancellationError())) }
            do {
                watch = try Watch(descriptor, for: interest) { [self] _ in finish(.success(())) }
                timer = timeout.map {
                    EventLoop.Timer(after: $0) { [self] in
                        finish(.failure(SystemError("epoll_wait", code: ETIMEDOUT)))
                    }
                }
            } catch {
                finish(.failure(error))
            }
        }

        func finish(_ result: Result<Void, any Error>) {
            watch?.cancel()
            watch = nil
            timer?.cancel()
            timer = nil
            continuation?.resume(with: result)
            continuation = nil
        }
    }
}
