/// Why there is no answer, or no more of it.
public struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The request itself is wrong.
        case invalid
        /// Nobody answers at that address.
        case unreachable
        /// The address of `host`, HOST:PORT, is one that must not be connected to.
        case addressDenied(host: String)
        /// The connection broke, or what came is not HTTP.
        case broken
        case timedOut
        /// Its certificate is not trusted, or ours cannot be used.
        case untrusted
        /// The server has no such file (SFTP and SCP; HTTP has a status for it).
        case notFound
        /// The server does not accept who asks (likewise).
        case denied
        /// The answer is longer than the caller takes.
        case tooLarge
        /// The body to be sent could not be read.
        case bodyFailed
    }

    public var kind: Kind
    /// A sentence for the user.
    public var reason: String

    public init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    public var description: String { reason }
}
