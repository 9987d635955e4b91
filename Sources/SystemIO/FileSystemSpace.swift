import CSystem
import Glibc

/// The room on a file system, in bytes.
public struct FileSystemSpace: Hashable, Sendable {
    /// What users without privileges may still write.
    public var free: Int64
    public var total: Int64

    /// The file system that holds `path`; nil where it cannot be seen.
    public init?(holding path: String) {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let block = UInt64(status.f_frsize)
        func bytes(_ blocks: UInt64) -> Int64 {
            let (product, overflow) = blocks.multipliedReportingOverflow(by: block)
            return overflow ? .max : Int64(clamping: product)
        }
        free = bytes(UInt64(status.f_bavail))
        total = bytes(UInt64(status.f_blocks))
    }
}
