import Glibc

/// How many descriptors this process may have open.
public enum DescriptorLimit {
    /// Raises the limit as far as is allowed. What a program inherits is usually 1024, for the
    /// sake of select(2), which nothing here uses.
    ///
    /// - Returns: the limit.
    @discardableResult
    public static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 1024
        }
        let inherited = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 {
            return Int(clamping: inherited)
        }
        return Int(clamping: limit.rlim_cur)
    }
}
