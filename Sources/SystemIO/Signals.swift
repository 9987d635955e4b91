import CSystem
import Glibc

/// Signals delivered as events on the loop rather than at any instant.
@EventLoop
public final class Signals {
    private let descriptor: Descriptor
    private var watch: Watch?

    /// Blocks the signals in this thread and those it will start, so that only ``Signals``
    /// takes them. Call it first in `main`, before any thread exists.
    public nonisolated static func block(_ signals: [CInt]) {
        var set = Self.set(of: signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A write to a closed pipe or socket is an error to handle, not a reason to die.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Those that whoever started the program did not have it ignore, as nohup(1) does and shells
    /// with what runs in their background: a blocked signal arrives although it is ignored.
    public nonisolated static func heeded(_ signals: [CInt]) -> [CInt] {
        signals.filter { cz_is_ignored($0) == 0 }
    }

    /// Ends the program as the signal does where nobody handles it, so that a shell sees it.
    public nonisolated static func endProgram(by number: CInt) {
        signal(number, SIG_DFL)
        var set = Self.set(of: [number])
        raise(number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Calls `handler` for each arrival of one of the signals, which must be blocked.
    public init(
        _ signals: [CInt], _ handler: @escaping @EventLoop (CInt) -> Void
    ) throws(SystemError) {
        var set = Self.set(of: signals)
        let number = try check("signalfd") {
            signalfd(-1, &set, CInt(SFD_CLOEXEC | SFD_NONBLOCK))
        }
        descriptor = Descriptor(owning: number)
        watch = try Watch(number, for: .readable) { _ in
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            while Glibc.read(number, &info, size) == size { handler(CInt(info.ssi_signo)) }
        }
    }

    public func cancel() {
        watch?.cancel()
        watch = nil
    }

    private nonisolated static func set(of signals: [CInt]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
