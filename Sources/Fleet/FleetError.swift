/// What is wrong with a list of targets, a selection or the state of a rollout: a sentence for the
/// user, which names the file and the line where there is one.
public struct FleetError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
