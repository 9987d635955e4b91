import RuntimeAPI

/// The names of capabilities(7).
enum Capability {
    private static let known: Set<String> = [
        "ALL",
        "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",
        "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID",
        "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN",
        "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW",
        "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
        "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
        "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM",
    ]

    /// The engines' form of a name in any case, with or without `CAP_`.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func parse(_ text: String) throws(RuntimeError) -> String {
        var name = text.uppercased()
        if name.hasPrefix("CAP_") { name.removeFirst("CAP_".count) }
        guard known.contains(name) else {
            throw .invalidArgument(
                field: "cap", reason: "there is no capability '\(InstanceName.printable(text))'")
        }
        return name == "ALL" ? name : "CAP_\(name)"
    }
}
