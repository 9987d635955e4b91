import SystemIO

/// What a rollout's state says of one device.
public struct RolloutRecord: Codable, Hashable, Sendable {
    public enum State: String, Codable, Sendable {
        /// It has begun; without a later record nobody knows how far it came.
        case begun
        case done
        /// It said so itself.
        case failed
        /// Nothing was heard of it any more: nobody knows how far it came.
        case lost
    }

    /// The device's name, for people who read the file.
    public var target: String
    /// What it is known by: another device may have the name by now, and this one another.
    public var address: String
    public var state: State
    /// The image that an instance had before it was touched.
    public var previous: String?
    /// Why it failed.
    public var error: String?

    static func address(of member: FleetMember) -> String { "\(member.address.comparable)" }

    /// Whether it may be done in part, or altogether, although nobody heard of that.
    public var isOpen: Bool { state == .begun || state == .lost }

    public init(
        _ state: State, _ member: FleetMember, previous: String? = nil, error: String? = nil
    ) {
        target = member.name
        address = Self.address(of: member)
        self.state = state
        self.previous = previous
        self.error = error
    }
}
