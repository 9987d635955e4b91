import ServerAddress

/// Which hosts a client may connect to. It is applied to the address of each connection, when that
/// is made, so neither redirects nor names that resolve differently the next time get around it.
public struct DestinationPolicy: Hashable, Sendable {
    /// Whether addresses of this device and of its links are denied, see ``LocalScope``.
    public var deniesLocal = false
    /// Hosts that may be connected to whatever their addresses are.
    public var allowed: [HostPattern] = []

    public init() {}

    /// Whether a host is allowed by its name alone.
    func allows(_ host: String, port: Int?) -> Bool {
        !deniesLocal || allowed.contains { $0.isExact && $0.matches(host, port: port) }
    }
}
