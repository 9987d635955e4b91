import CSystem
import Glibc

extension Descriptor {
    /// What a stream is used for.
    public enum StreamUse: Sendable {
        case reading
        case writing
    }

    /// File systems whose files are bytes on a disk or in memory. Reading or writing files of others
    /// may act on the kernel with the rights of this process (procfs, sysfs, cgroupfs), or wait
    /// for another program's answer for as long as they like (FUSE, network file systems).
    private static let dataFileSystems: Set<UInt64> = [
        0xEF53,  // ext2, ext3, ext4
        0x5846_5342,  // XFS
        0x9123_683E,  // Btrfs
        0xCA45_1A4E,  // bcachefs
        0x2FC1_2FC1,  // ZFS
        0xF2F5_2010,  // F2FS
        0x2405_1905,  // UBIFS
        0x72B6,  // JFFS2
        0x0102_1994,  // tmpfs
        0x8584_58F6,  // ramfs
        0x794C_7630,  // overlayfs
        0x7371_7368,  // SquashFS
        0xE0F5_E1E2,  // EROFS
        0x4D44,  // FAT
        0x2011_BAB0,  // exFAT
        0x9660,  // ISO 9660
    ]

    /// Why a descriptor that another process passed is not used as a stream of bytes; nil for the
    /// end of a pipe, and for a regular file, that is open for the use.
    ///
    /// What is written to a socket carries this process's credentials, and devices and the kernel's
    /// files obey every writer.
    ///
    /// - Throws: what it cannot be examined for.
    public borrowing func objection(to use: StreamUse) throws(SystemError) -> String? {
        let number = self.number
        var status = stat()
        try check("fstat") { fstat(number, &status) }
        let expected =
            switch use {
            case .reading: "pass a pipe's read end or a regular file that is open for reading"
            case .writing: "pass a pipe's write end or a regular file that is open for writing"
            }
        switch status.st_mode & S_IFMT {
        case S_IFIFO: break
        case S_IFREG:
            var type: UInt64 = 0
            try check("fstatfs") { cz_file_system(number, &type) }
            guard Self.dataFileSystems.contains(type) else {
                return "a file on a file system that is not a local disk or memory; pass a pipe"
            }
        case S_IFSOCK: return "a socket; \(expected)"
        case S_IFDIR: return "a directory; \(expected)"
        case S_IFCHR, S_IFBLK: return "a device; \(expected)"
        default: return "neither a pipe nor a file; \(expected)"
        }
        let flags = try check("fcntl") { fcntl(number, F_GETFL) }
        let mode = flags & O_ACCMODE
        let isOpen =
            switch use {
            case .reading: mode == O_RDONLY || mode == O_RDWR
            case .writing: mode == O_WRONLY || mode == O_RDWR
            }
        guard isOpen, flags & Self.pathOnly == 0 else {
            return "it is not open for \(use == .reading ? "reading" : "writing"); \(expected)"
        }
        return nil
    }

    /// O_PATH of open(2), the same on all architectures but Alpha, PA-RISC and SPARC.
    private static let pathOnly: CInt = 0o10000000
}
