import Authorization

/// Who makes a request, as far as it was proved.
public struct Principal: Hashable, Sendable, CustomStringConvertible {
    /// How it was proved.
    public enum Proof: String, Sendable {
        case certificate
        case password
        /// The kernel says who is at the other end of a unix socket.
        case unixPeer = "unix"
        /// Not at all, where that is allowed.
        case none
    }

    public var proof: Proof
    /// All names that policies may match; never empty but without a proof.
    public var names: [PrincipalName]
    /// Further names, which only deny rules look at.
    public var otherNames: [PrincipalName]

    public init(
        _ proof: Proof, _ names: [PrincipalName], otherNames: [PrincipalName] = []
    ) {
        self.proof = proof
        self.names = names
        self.otherNames = otherNames
    }

    /// Nobody, on a device that asks for no proof.
    public static let anonymous = Principal(.none, [])

    public var description: String { names.first?.text ?? "anonymous" }
}
