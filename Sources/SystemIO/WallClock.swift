import CSystem
import Glibc

/// The clock on the wall, which may be set.
@EventLoop
public enum WallClock {
    /// Waits until a time of day, without holding a thread.
    ///
    /// - Parameter time: in seconds since 1970.
    /// - Returns: false when the clock was set meanwhile, so that the time may be another.
    /// - Throws: `SystemError`, or `CancellationError` as soon as the task is cancelled.
    public static func sleep(until time: Int64) async throws -> Bool {
        let alarm = try Alarm(at: time)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Bool, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else {
                    alarm.start(continuation)
                }
            }
        } onCancel: {
            EventLoop.enqueue { alarm.finish(.failure(CancellationError())) }
        }
    }

    /// timerfd_create(2).
    @EventLoop
    private final class Alarm {
        private let descriptor: Descriptor
        private var watch: Watch?
        private var continuation: CheckedContinuation<Bool, any Error>?

        init(at time: Int64) throws(SystemError) {
            let number = try check("timerfd_create") {
                timerfd_create(CLOCK_REALTIME, CInt(TFD_CLOEXEC | TFD_NONBLOCK))
            }
            descriptor = Descriptor(owning: number)
            var setting = itimerspec()
            // Zero would mean never.
            setting.it_value = timespec(tv_sec: max(1, Int(time)), tv_nsec: 0)
            let flags = CInt(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)
            try check("timerfd_settime") { timerfd_settime(number, flags, &setting, nil) }
        }

        func start(_ continuation: CheckedContinuation<Bool, any Error>) {
            self.continuation = continuation
            let number = descriptor.number
            do {
                watch = try Watch(number, for: .readable) { [self] _ in
                    var count: UInt64 = 0
                    let result = Glibc.read(number, &count, MemoryLayout<UInt64>.size)
                    if result < 0, errno == EAGAIN { return }
                    finish(.success(result > 0))
                }
            } catch {
                finish(.failure(error))
            }
        }

        func finish(_ result: Result<Bool, any Error>) {
            watch?.cancel()
            watch = nil
            continuation?.resume(with: result)
            continuation = nil
        }
    }
}
