import CSystem
import Glibc
import RuntimeAPI

enum Storage {
    /// The room on the file system that holds `path`; nil where it cannot be seen.
    static func of(_ path: String) -> EngineInfo.Storage? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        let block = UInt64(status.f_frsize)
        func bytes(_ blocks: UInt64) -> Int64 {
            let (product, overflow) = blocks.multipliedReportingOverflow(by: block)
            return overflow ? .max : Int64(clamping: product)
        }
        return EngineInfo.Storage(
            free: bytes(UInt64(status.f_bavail)), total: bytes(UInt64(status.f_blocks)))
    }
}
