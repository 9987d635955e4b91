/// How many updates came to what.
public struct UpdateTotals: Hashable, Sendable {
    /// The new version is in place.
    public var finished = 0
    /// The old version is back.
    public var rolledBack = 0
    /// Given up before anything was changed.
    public var failed = 0

    public init() {}
}
