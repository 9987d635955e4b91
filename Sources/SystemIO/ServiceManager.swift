import CSystem
import Glibc

/// What sd_notify(3) and sd_listen_fds(3) describe: how a daemon and systemd talk. Without
/// systemd everything here does nothing.
public enum ServiceManager {
    /// Tells systemd, say `READY=1` or `STOPPING=1`.
    public static func notify(_ state: String) {
        guard let path = environment("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@")
        else { return }
        guard let socket = try? DatagramSocket.connect(toPath: path) else { return }
        let bytes = Array(state.utf8)
        _ = cz_write_socket(socket.number, bytes, bytes.count)
    }

    /// How often `WATCHDOG=1` should be sent: half of what the unit's WatchdogSec= allows.
    public static var watchdogInterval: Duration? {
        guard let text = environment("WATCHDOG_USEC"), let microseconds = Int64(text),
            microseconds > 0
        else { return nil }
        if let pid = environment("WATCHDOG_PID"), pid != String(getpid()) { return nil }
        return .microseconds(microseconds / 2)
    }

    /// The sockets that systemd passed, in its order, with their names. The variables are
    /// removed, so that a child is not misled, and a second call finds none.
    public static func takeListeningSockets() -> [(name: String, number: CInt)] {
        guard environment("LISTEN_PID") == String(getpid()),
            let text = environment("LISTEN_FDS"), let count = CInt(text), count > 0,
            count <= maximumSockets
        else { return [] }
        let names = (environment("LISTEN_FDNAMES") ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetenv(name) }
        return (0..<count).map { index in
            let number = firstSocket + index
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            let name = Int(index) < names.count ? String(names[Int(index)]) : "unknown"
            return (name, number)
        }
    }

    /// SD_LISTEN_FDS_START.
    private static let firstSocket: CInt = 3
    /// More than any unit of ours has; a guard against a nonsense environment.
    private static let maximumSockets: CInt = 64

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
