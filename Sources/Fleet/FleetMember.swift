public import SystemIO

/// One device of several.
public struct FleetMember: Hashable, Sendable {
    /// What it is called in every line about it; its address as it was written, when it has no
    /// other name.
    public var name: String
    public var address: SocketAddress
    /// The name in its certificate, where it is not that of the address.
    public var serverName: String?
    public var labels: [String: String]

    public init(
        name: String, address: SocketAddress, serverName: String? = nil,
        labels: [String: String] = [:]
    ) {
        self.name = name
        self.address = address
        self.serverName = serverName
        self.labels = labels
    }

    /// A device that is given by its address alone.
    ///
    /// - Parameter defaultPort: taken where the address has none.
    /// - Throws: ``FleetError``.
    public init(parsing address: String, defaultPort: UInt16) throws(FleetError) {
        do throws(SocketAddressError) {
            self.init(
                name: address,
                address: try SocketAddress(parsing: address, defaultPort: defaultPort))
        } catch {
            throw FleetError("\(error)")
        }
    }
}
