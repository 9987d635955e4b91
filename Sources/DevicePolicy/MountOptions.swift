/// The options of a mount, as mount(8) and the engines take them: `NAME` or `NAME=VALUE`, separated
/// by commas.
struct MountOptions: Hashable, Sendable {
    struct Option: Hashable, Sendable {
        var name: String
        /// nil for an option without an equals sign.
        var value: String?
    }

    let options: [Option]

    init(_ text: String) {
        options =
            text.utf8.isEmpty
            ? []
            : text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
                let parts = $0.split(
                    separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                return Option(
                    name: String(Substring(parts[0])),
                    value: parts.count > 1 ? String(Substring(parts[1])) : nil)
            }
    }

    var names: Set<String> { Set(options.map(\.name)) }

    /// Whether the mount is a bind in any spelling: Podman hands the options to mount(8), which
    /// takes `bind` with a value and in quotes as well.
    var mayBind: Bool { options.contains { $0.name.contains("bind") } }

    /// The first option that is not known to be harmless for a type of file system.
    ///
    /// - Parameter extra: names that the policy allows in addition, with any value.
    func firstRefused(type: String, extra: Set<String>) -> Option? {
        options.first { option in
            !extra.contains(option.name) && !Self.isHarmless(option, type: type)
        }
    }

    private static func isHarmless(_ option: Option, type: String) -> Bool {
        guard let value = option.value else {
            return flags.contains(option.name) || typeFlags[type]?.contains(option.name) ?? false
        }
        guard typeValues[type]?.contains(option.name) ?? false else { return false }
        // Numbers, sizes, percentages, names and addresses; nothing that another program would
        // take for a path or for the end of the value.
        return !value.isEmpty
            && value.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || "%.:_-".utf8.contains($0)
            }
    }

    /// For every type: they only take something away, or say how access times are kept.
    private static let flags: Set = [
        "defaults", "ro", "rw", "nodev", "noexec", "nosuid", "noatime", "nodiratime", "relatime",
        "strictatime", "lazytime", "sync", "dirsync",
    ]

    /// By type, without a value. A bind has the type none or no type.
    private static let typeFlags: [String: Set<String>] = [
        "": ["bind", "rbind"],
        "none": ["bind", "rbind"],
        "bind": ["bind", "rbind"],
        "nfs": networkFlags,
        "nfs4": networkFlags,
        "ext4": ["discard", "nodiscard"],
        "xfs": ["discard", "nodiscard"],
        "btrfs": ["discard", "nodiscard"],
    ]

    private static let networkFlags: Set = [
        "hard", "soft", "softerr", "tcp", "udp", "nolock", "lock", "noac", "ac", "nocto", "cto",
    ]

    /// By type, with a value.
    private static let typeValues: [String: Set<String>] = [
        "tmpfs": ["size", "nr_blocks", "nr_inodes", "mode", "uid", "gid"],
        "nfs": networkValues,
        "nfs4": networkValues,
        "vfat": ["uid", "gid", "umask", "fmask", "dmask"],
        "exfat": ["uid", "gid", "umask", "fmask", "dmask"],
        "iso9660": ["uid", "gid", "mode", "dmode"],
        "udf": ["uid", "gid", "mode", "dmode"],
    ]

    private static let networkValues: Set = [
        "addr", "vers", "nfsvers", "minorversion", "proto", "port", "mountport", "timeo",
        "retrans", "rsize", "wsize", "sec", "acregmin", "acregmax", "acdirmin", "acdirmax",
        "actimeo", "lookupcache", "nconnect",
    ]
}
