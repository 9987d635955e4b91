/// The names of capabilities(7).
public enum CapabilityName {
    /// Stands for all of them.
    public static let all = "ALL"

    /// All of them, and ``all``.
    public static let known: Set<String> = [
        all,
        "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",
        "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
        "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN",
        "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW",
        "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
        "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
    ]

    /// A name in upper case without `CAP_`, from one in any case, with it or without.
    ///
    /// - Returns: nil when there is no such capability.
    public static func normalised(_ text: String) -> String? {
        var name = text.uppercased()
        if name.hasPrefix("CAP_") { name.removeFirst("CAP_".count) }
        return known.contains(name) ? name : nil
    }
}
