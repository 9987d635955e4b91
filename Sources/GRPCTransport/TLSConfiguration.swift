/// The certificates and keys of one end, as PEM files.
public struct TLSConfiguration: Hashable, Sendable {
    /// The certificate chain shown to the peer, the leaf first; needed by a server.
    public var certificateChain: String?
    /// The key of the chain's leaf, without a passphrase.
    public var privateKey: String?
    /// The authorities trusted to sign the peer's certificate. Without it a client trusts the
    /// system's, and a server asks for no certificate.
    public var authorities: String?
    /// Lists of revoked certificates; every certificate of the peer's chain is checked.
    public var revocationLists: String?
    /// Whether a client without a certificate is turned away in the handshake.
    public var requiresClientCertificate: Bool
    /// The oldest version that is spoken.
    public var minimumVersion: TLSVersion
    /// The name expected in the server's certificate, where it is not the target's own.
    public var serverName: String?

    public init(
        certificateChain: String? = nil, privateKey: String? = nil, authorities: String? = nil,
        revocationLists: String? = nil, requiresClientCertificate: Bool = true,
        minimumVersion: TLSVersion = .tls12, serverName: String? = nil
    ) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
        self.authorities = authorities
        self.revocationLists = revocationLists
        self.requiresClientCertificate = requiresClientCertificate
        self.minimumVersion = minimumVersion
        self.serverName = serverName
    }
}

/// A version of TLS that is still good.
public enum TLSVersion: String, CaseIterable, Sendable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}

/// Why TLS could not be set up or was refused.
public struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Kind: Hashable, Sendable {
        /// A file could not be used; it is named in the description.
        case configuration
        /// We do not trust the peer's certificate.
        case untrustedPeer
        /// The peer does not accept us: it sent an alert.
        case refusedByPeer
        /// The peer does not speak TLS, or not the versions and protocols we do.
        case protocolMismatch
    }

    public var kind: Kind
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
