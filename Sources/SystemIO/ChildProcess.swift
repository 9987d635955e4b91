import CSystem
import Glibc

/// A program that was started, waited for without holding the loop, and ended with whoever
/// started it.
@EventLoop
public final class ChildProcess {
    /// How it ended.
    public enum End: Hashable, Sendable {
        case exited(CInt)
        case killed(signal: CInt)
        /// Somebody else has seen it, such as a parent that left SIGCHLD ignored.
        case unknown(SystemError)
    }

    public nonisolated let identifier: pid_t
    /// pidfd_open(2): readable once the process has ended.
    private let descriptor: Descriptor
    private var end: End?

    /// Starts a program with nothing of this process but what is given.
    ///
    /// - Parameters:
    ///   - path: the program; it is not searched for.
    ///   - environment: `NAME=VALUE`.
    /// - Throws: `SystemError`.
    public init(
        _ path: String, _ arguments: [String], environment: [String],
        input: borrowing Descriptor, output: borrowing Descriptor, errors: borrowing Descriptor
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // All others close by themselves.
        posix_spawn_file_actions_adddup2(&actions, input.number, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.number, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors.number, STDERR_FILENO)
        // Signals that this process blocks or ignores are news to the child.
        var none = sigset_t()
        sigemptyset(&none)
        var usual = sigset_t()
        sigemptyset(&usual)
        sigaddset(&usual, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        var process: pid_t = 0
        let status = Self.withPointers([path] + arguments) { arguments in
            Self.withPointers(environment) { environment in
                posix_spawn(&process, path, &actions, &attributes, arguments, environment)
            }
        }
        guard status == 0 else { throw SystemError("posix_spawn", on: path, code: status) }
        identifier = process
        do throws(SystemError) {
            descriptor = Descriptor(
                owning: try check("pidfd_open") { cz_open_process(process) })
        } catch {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
            throw error
        }
    }

    isolated deinit {
        guard end == nil else { return }
        // It would be left as a zombie otherwise; it cannot refuse.
        kill(identifier, SIGKILL)
        waitpid(identifier, nil, 0)
    }

    /// Waits until it has ended. When the task is cancelled it is told to, and killed when it has
    /// not after a moment.
    public func wait() async -> End {
        if let end { return end }
        let watching = EventLoop.task { [self] in
            try await Watch.once(descriptor.number, for: .readable)
        }
        let watched = await withTaskCancellationHandler {
            await watching.result
        } onCancel: {
            EventLoop.enqueue { self.terminate() }
        }
        if case .failure = watched {
            // Then a thread has to wait for it, rather than everything else.
            _ = try? await withOwnThread(named: "child") { [identifier] in
                var information = siginfo_t()
                waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT)
            }
        }
        var status: CInt = 0
        var waited: pid_t
        repeat { waited = waitpid(identifier, &status, 0) } while waited == -1 && errno == EINTR
        let signal = status & 0x7F
        let end: End
        if waited != identifier {
            end = .unknown(SystemError("waitpid"))
        } else {
            end = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
        }
        self.end = end
        return end
    }

    private static let patience: Duration = .seconds(2)

    /// Tells it to end, and kills it when it has not after a moment.
    public func terminate() {
        guard end == nil else { return }
        kill(identifier, SIGTERM)
        _ = EventLoop.Timer(after: Self.patience) { [weak self] in
            guard let self, end == nil else { return }
            kill(identifier, SIGKILL)
        }
    }

    private static func withPointers<Result>(
        _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = texts.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }
}
