import Authorization
import GRPCCore
import GRPCTransport
import SystemIO

/// Finds out who makes a request.
@EventLoop
public struct Authenticator {
    private let passwords: PasswordAuthentication?
    private let requiresProof: Bool
    private let users = UserNames()

    /// - Parameters:
    ///   - passwords: nil where clients have no passwords; then none are looked at.
    ///   - requiresProof: whether a peer that proves nothing is turned away.
    public nonisolated init(passwords: PasswordAuthentication?, requiresProof: Bool) {
        self.passwords = passwords
        self.requiresProof = requiresProof
    }

    /// The names of metadata that carry a login (gNMI, "Session Security").
    nonisolated static let nameKey = "username"
    nonisolated static let passwordKey = "password"

    /// - Parameter address: where the request comes from, without a port.
    /// - Throws: `RPCError` with UNAUTHENTICATED.
    public func principal(
        _ peer: PeerIdentity, _ metadata: Metadata, from address: String
    ) async throws -> Principal {
        // A password that is given is meant: it is not overlooked for a certificate's sake.
        if let passwords, peer.isSecure || peer.credentials != nil,
            let name = try Self.only(Self.nameKey, in: metadata)
        {
            let password = try Self.only(Self.passwordKey, in: metadata) ?? ""
            return try await passwords.authenticate(name, password, from: address)
        }
        if let certificate = peer.certificate {
            // gRPC proposal A43: URIs; without any, DNS names; without any, the subject.
            let kinds = [
                certificate.uriNames.map { PrincipalName(.uri, $0) },
                certificate.dnsNames.map { PrincipalName(.dns, $0) },
                [PrincipalName(.subject, certificate.subject)],
            ]
            // Refused as a whole: without the name, the certificate would have names of another
            // kind, and deny rules would not see it.
            if let name = kinds.joined().first(where: { !$0.isWellFormed }) {
                throw RPCError(
                    code: .unauthenticated,
                    message: "the client certificate has an invalid \(name.kind.rawValue)")
            }
            let names = kinds.first { !$0.isEmpty } ?? []
            return Principal(
                .certificate, names, otherNames: kinds.joined().filter { !names.contains($0) })
        }
        if let credentials = peer.credentials {
            let name = await users.name(of: credentials.userID)
            return Principal(.unixPeer, [.init(.account, "unix:\(name)")])
        }
        guard requiresProof else { return .anonymous }
        throw RPCError(
            code: .unauthenticated,
            message: passwords == nil
                ? "there is no client certificate"
                : "there is neither a client certificate nor a username and password")
    }

    private static func only(_ key: String, in metadata: Metadata) throws(RPCError) -> String? {
        var values = metadata[stringValues: key].makeIterator()
        guard let value = values.next() else { return nil }
        guard values.next() == nil else {
            throw RPCError(code: .unauthenticated, message: "there are several \(key)s")
        }
        return value
    }
}
