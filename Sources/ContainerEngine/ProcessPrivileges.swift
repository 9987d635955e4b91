import Glibc
import RuntimeAPI
import SystemIO

/// What a process of a container may do at most, as the kernel says in /proc/PID/status.
struct ProcessPrivileges: Hashable, Sendable {
    /// The bounding set, without `CAP_`; ``CapabilityName/all`` alone for all of them.
    var capabilities: [String]
    /// Whether programs can gain privileges, as setuid programs do.
    var mayGainMore: Bool

    /// capabilities(7), by their numbers.
    static let names = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
        "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
        "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
        "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
        "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
        "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
    ]

    private static let maxStatus = 64 << 10

    /// - Returns: nil when the process is gone.
    init?(ofProcess pid: Int32) {
        let path = "/proc/\(pid)/status"
        guard let file = try? SystemIO.Descriptor.open(path, O_RDONLY),
            let bytes = try? file.readToEnd(atMost: Self.maxStatus, of: path)
        else { return nil }
        self.init(parsing: String(decoding: bytes, as: UTF8.self))
    }

    /// - Returns: nil for a text without the fields.
    init?(parsing status: String) {
        var set: UInt64?
        var noNewPrivileges: Bool?
        for line in status.split(separator: "\n") {
            let fields = line.split(whereSeparator: { $0 == ":" || $0 == "\t" || $0 == " " })
            guard fields.count == 2 else { continue }
            switch fields[0] {
            case "CapBnd": set = UInt64(fields[1], radix: 16)
            case "NoNewPrivs": noNewPrivileges = fields[1] != "0"
            default: break
            }
        }
        guard let set, let noNewPrivileges else { return nil }
        mayGainMore = !noNewPrivileges
        let all = Self.names.indices.filter { set >> UInt64($0) & 1 == 1 }.map { Self.names[$0] }
        capabilities = all.count == Self.names.count ? [CapabilityName.all] : all.sorted()
    }
}
