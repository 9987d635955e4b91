extension DevicePolicy {
    /// The policy without a file: ordinary applications run, and none gets control of the device.
    public static let `default` = DevicePolicy(
        images: .init(allow: [.any]),
        hostPaths: .init(
            allow: [
                // Where data is, and where the device's own software keeps nothing that it trusts.
                // Not /home, which has .ssh, nor /opt, which has programs that root runs, nor /tmp
                // and /var/tmp, which have the sockets of root's own programs.
                "/data", "/media", "/mnt", "/srv",
            ].map(HostPath.init(trusting:)),
            deny: [
                "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32",
                "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var/lib", "/var/log",
                "/var/run", "/var/spool",
            ].map(HostPath.init(trusting:))),
        devices: [
            "/dev/full", "/dev/net/tun", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero",
        ].map(Glob.init),
        defaultCapabilities: ordinaryCapabilities,
        // The others reach no further than the container.
        capabilities: ordinaryCapabilities.union(["IPC_LOCK", "LEASE", "NET_BROADCAST"]),
        allowsNewPrivileges: false,
        // Host networking reaches the management plane of the device.
        networks: ["bridge", "none"].map(Glob.init),
        ports: [1...UInt16.max],
        users: .init(allow: [.any]),
        limits: .init(),
        mountTypes: [Glob("tmpfs")],
        mountOptions: [],
        // A driver other than local exists only where root, or a policy that allows plugins,
        // installed one.
        volumeDrivers: [Glob("*")],
        // A plugin has every privilege that its own config.json asks for.
        allowsPlugins: false,
        signatures: [],
        allowsForeign: false)

    /// What the engines give to every container by default, except NET_RAW, which sees and forges
    /// the traffic of the bridge, and MKNOD, which makes device nodes in shared folders.
    private static let ordinaryCapabilities: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]
}
