import Glibc
import SystemIO

/// The names of this device's accounts, which may be known to a server far away: they are looked
/// up on a thread of their own, and remembered for a while.
@EventLoop
final class UserNames {
    private struct Entry {
        /// nil when it could not be looked up.
        var name: Task<String?, Never>
        var until: ContinuousClock.Instant
    }

    private var entries: [uid_t: Entry] = [:]

    /// An account is renamed once in years.
    private static let memory: Duration = .seconds(60)
    /// Each account that uses a unix socket takes one; they are not many.
    private static let mostEntries = 1024

    nonisolated init() {}

    /// The account's name, or its number where it has none.
    func name(of user: uid_t) async -> String {
        if let entry = entries[user], entry.until > .now {
            return await entry.name.value ?? "\(user)"
        }
        if entries.count >= Self.mostEntries { entries = [:] }
        let look = EventLoop.task { try? await withOwnThread(named: "user") { Self.lookUp(user) } }
        entries[user] = Entry(name: look, until: .now + Self.memory)
        guard let name = await look.value else {
            entries[user] = nil
            return "\(user)"
        }
        return name
    }

    private nonisolated static func lookUp(_ user: uid_t) -> String {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 << 10) { buffer in
            guard let start = buffer.baseAddress,
                getpwuid_r(user, &record, start, buffer.count, &found) == 0, found != nil,
                let name = record.pw_name
            else { return "\(user)" }
            return String(cString: name)
        }
    }
}
