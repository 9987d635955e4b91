import SystemIO

/// The devices of a fleet in the order they were given, each of them once.
public struct FleetRoster: Sendable {
    public private(set) var members: [FleetMember] = []
    /// Where each name and each address was given.
    private var names: [String: String] = [:]
    private var addresses: [SocketAddress: String] = [:]

    public init() {}

    /// - Parameter origin: where it is from, for messages: `--target`, or a file and a line.
    /// - Throws: ``FleetError`` when its name or its address is there already: work would be done
    ///   twice on one device, or nobody could tell two apart.
    public mutating func add(_ member: FleetMember, from origin: String) throws(FleetError) {
        if let first = names[member.name] {
            throw FleetError("\(origin): the name \(member.name) is there already (\(first))")
        }
        let address = member.address.comparable
        if let first = addresses[address] {
            throw FleetError("\(origin): \(member.address) is there already (\(first))")
        }
        names[member.name] = origin
        addresses[address] = origin
        members.append(member)
    }
}

extension SocketAddress {
    /// Host names are the same in capitals.
    var comparable: SocketAddress {
        guard case .tcp(let host, let port) = self else { return self }
        return .tcp(host: host.lowercased(), port: port)
    }
}
