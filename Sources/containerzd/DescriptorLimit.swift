import Glibc

/// How many descriptors this process may have open.
enum DescriptorLimit {
    /// Descriptors that are no connections: the standard ones, the event loop's, listeners, files.
    private static let reserve = 32
    /// For each connection its socket, and what its RPCs need behind it: a connection to
    /// cz-runtime and a pipe. Clients have one or two RPCs at a time.
    private static let perConnection = 4

    /// Raises the limit as far as is allowed. What a program inherits is usually 1024, for the
    /// sake of select(2), which nothing here uses.
    ///
    /// - Returns: the limit.
    static func raise() -> Int {
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

    /// The connections that can be served with so many descriptors.
    static func connections(within descriptors: Int) -> Int {
        max(1, (descriptors - reserve) / perConnection)
    }
}
