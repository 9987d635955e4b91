/// A call that is over, for whoever counts them.
public struct AnsweredCall: Hashable, Sendable {
    /// How a call ended.
    public enum Outcome: Hashable, Sendable {
        /// It was carried out.
        case done
        /// It was answered with the error of this name.
        case failed(String)
        /// Its client went away, or the server stopped.
        case brokenOff
    }

    /// The full name of a method that is served; nil for any other.
    public var method: String?
    public var outcome: Outcome
    /// What the error says, where it was answered with one.
    public var reason: String?

    public init(method: String?, outcome: Outcome, reason: String? = nil) {
        self.method = method
        self.outcome = outcome
        self.reason = reason
    }
}
