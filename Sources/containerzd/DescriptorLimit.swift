import SystemIO

extension DescriptorLimit {
    /// Descriptors that are no connections: the standard ones, the event loop's, listeners, files.
    private static let reserve = 32
    /// For each connection its socket, and what its RPCs need behind it: a connection to
    /// cz-runtime and a pipe. Clients have one or two RPCs at a time.
    private static let perConnection = 4

    /// The connections that can be served with so many descriptors.
    static func connections(within descriptors: Int) -> Int {
        max(1, (descriptors - reserve) / perConnection)
    }
}
