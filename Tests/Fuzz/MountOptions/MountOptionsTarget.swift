import FuzzSupport

@testable import DevicePolicy

/// Options that the built-in policy accepts are names from a fixed list, however they are written.
@main struct MountOptionsTarget: FuzzTarget {
    private static let flags: Set = [
        "bind", "rbind", "defaults", "ro", "rw", "nodev", "noexec", "nosuid", "noatime",
        "nodiratime", "relatime", "strictatime", "lazytime", "sync", "dirsync",
    ]
    private static let tmpfsValues: Set = [
        "size", "nr_blocks", "nr_inodes", "mode", "uid", "gid",
    ]

    static func run(_ input: inout FuzzInput) {
        let type = input.byte() % 2 == 0 ? "none" : "tmpfs"
        let text = String(decoding: input.bytes, as: UTF8.self)
        let options = MountOptions(text)
        guard options.firstRefused(type: type, extra: []) == nil else { return }
        // By bytes, as mount(8) reads them.
        for option in Array(text.utf8).split(
            separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        where !text.isEmpty {
            let parts = option.split(
                separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(decoding: parts[0], as: UTF8.self)
            if parts.count == 1 {
                require(flags.contains(name), "'\(name)' was accepted")
                require(
                    type == "none" || !name.contains("bind"), "'\(name)' was accepted for \(type)")
            } else {
                require(type == "tmpfs" && tmpfsValues.contains(name), "'\(name)' was accepted")
                require(
                    !parts[1].isEmpty
                        && parts[1].allSatisfy {
                            $0 > 0x20 && $0 < 0x7F && !"/\\\"'=".utf8.contains($0)
                        },
                    "the value of '\(name)' was accepted")
            }
        }
    }
}
