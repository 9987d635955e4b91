public import SystemIO

/// What a server's transport knows of the peer of an RPC, beside its address.
public struct PeerIdentity: Hashable, Sendable {
    /// Whether the connection is encrypted.
    public var isSecure: Bool
    /// The verified certificate of the client, when it showed one.
    public var certificate: PeerCertificate?
    /// The process at the other end of a unix socket.
    public var credentials: PeerCredentials?

    public init(
        isSecure: Bool, certificate: PeerCertificate? = nil, credentials: PeerCredentials? = nil
    ) {
        self.isSecure = isSecure
        self.certificate = certificate
        self.credentials = credentials
    }
}
