extension DevicePolicy {
    /// What holds where nothing else is said: ordinary applications run, and nothing gets a hand
    /// on the device itself.
    public static let `default` = DevicePolicy(
        images: .init(allow: [.any]),
        hostPaths: .init(
            allow: [
                // Where data is, and where the device's own software keeps nothing that it trusts:
                // so neither /home, with its .ssh, nor /opt, whose programs root runs.
                "/data", "/media", "/mnt", "/srv", "/tmp", "/var/tmp",
            ].map(HostPath.init(trusting:)),
            deny: [
                "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32",
                "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var/lib", "/var/log",
                "/var/run", "/var/spool",
            ].map(HostPath.init(trusting:))),
        devices: [
            "/dev/full", "/dev/net/tun", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero",
        ].map(Glob.init),
        capabilities: [
            // The engines give these to every container anyway.
            "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
            "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
            // And these reach no further than the container.
            "IPC_LOCK", "LEASE", "NET_BROADCAST",
        ],
        networks: [Glob("*")],
        ports: [1...UInt16.max],
        users: .init(allow: [.any]),
        limits: .init(),
        mountTypes: [Glob("tmpfs")],
        // There is only a driver where somebody with root, or a policy that allows plugins, put
        // one.
        volumeDrivers: [Glob("*")],
        // A plugin has every privilege that its own config.json asks for.
        allowsPlugins: false,
        signatures: [],
        allowsForeign: false)
}
