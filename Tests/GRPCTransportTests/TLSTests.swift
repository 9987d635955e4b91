import GRPCCore
import Synchronization
import SystemIO
import Testing

@testable import GRPCTransport

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    private static let certificates = Result { try Certificates() }

    private func server(
        _ name: String = "server", revoked: Bool = false
    ) throws -> TLSConfiguration {
        let made = try Self.certificates.get()
        return TLSConfiguration(
            certificateChain: made.path("\(name).pem"), privateKey: made.path("\(name).key"),
            authorities: made.path("ca.pem"), revocationLists: revoked ? made.path("crl.pem") : nil)
    }

    private func client(
        _ name: String? = "client", trusting authority: String = "ca", serverName: String? = nil
    ) throws -> TLSConfiguration {
        let made = try Self.certificates.get()
        return TLSConfiguration(
            certificateChain: name.map { made.path("\($0).pem") },
            privateKey: name.map { made.path("\($0).key") },
            authorities: made.path("\(authority).pem"), serverName: serverName)
    }

    private func failure(
        server: TLSConfiguration, client: TLSConfiguration?
    ) async -> RPCError? {
        await #expect(throws: RPCError.self) {
            try await withEcho(serverTLS: server, clientTLS: client) { client, _, _ in
                _ = try await client.collect("Echo", [[1]])
            }
        }
    }

    @Test func mutualTLSCarriesMessages() async throws {
        let message = [UInt8](repeating: 5, count: 3 << 20)
        let echoed = try await withEcho(serverTLS: server(), clientTLS: client()) {
            client, _, _ in try await client.collect("Echo", [message, [1]]).messages
        }
        #expect(echoed == [message, [1]])
    }

    @Test func theServerKnowsTheNamesInTheCertificate() async throws {
        let seen = Mutex<PeerIdentity?>(nil)
        let service = EchoService(onPeer: { peer in seen.withLock { $0 = peer } })
        try await withEcho(serverTLS: server(), clientTLS: client(), service: service) {
            client, _, _ in _ = try await client.collect("Echo")
        }
        let peer = try #require(seen.withLock { $0 })
        #expect(peer.isSecure)
        #expect(peer.certificate?.uriNames == ["spiffe://example.net/role/admin"])
        #expect(peer.certificate?.dnsNames == ["station"])
        #expect(peer.certificate?.subject == "CN=client,O=test")
    }

    @Test(arguments: TLSVersion.allCases)
    func aClientOffersNothingOlderThanItShould(_ oldest: TLSVersion) async throws {
        let made = try Self.certificates.get()
        let pair = try StreamSocket.pair()
        let ours = pair.first
        let theirs = pair.second
        let configuration = TLSConfiguration(
            authorities: made.path("ca.pem"), minimumVersion: oldest)
        let channel = try await Channel(
            ours, context: .client(configuration), serverName: "localhost")
        _ = try await channel.handshake()
        let hello = try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
            let count = try theirs.read(into: $0)
            return Array($0.prefix(count ?? 0))
        }
        // The extension of the versions with 1.3 alone, and with 1.2 too (RFC 8446, 4.2.1).
        #expect(hello.contains([0, 43, 0, 3, 2, 3, 4]) == (oldest == .tls13))
        #expect(hello.contains([0, 43, 0, 5, 4, 3, 4, 3, 3]) == (oldest == .tls12))
    }

    @Test func offersNoGroupsButThoseOfMozillasIntermediateConfiguration() async throws {
        let made = try Self.certificates.get()
        let pair = try StreamSocket.pair()
        let ours = pair.first
        let theirs = pair.second
        let configuration = TLSConfiguration(authorities: made.path("ca.pem"))
        let channel = try await Channel(
            ours, context: .client(configuration), serverName: "localhost")
        _ = try await channel.handshake()
        let hello = try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) {
            let count = try theirs.read(into: $0)
            return Array($0.prefix(count ?? 0))
        }
        // supported_groups (RFC 8446, 4.2.7): X25519, secp256r1, secp384r1.
        #expect(hello.contains([0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24]))
    }

    @Test func theCertificateMayCarryAnotherNameThanTheTarget() async throws {
        try await withEcho(
            serverTLS: server(), clientTLS: client(serverName: "device.example")
        ) { client, _, _ in _ = try await client.collect("Echo") }
    }

    @Test func aServerOfAnotherAuthorityIsNotTrusted() async throws {
        let error = await failure(server: try server(), client: try client(trusting: "other-ca"))
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("the server's certificate is not trusted") == true)
    }

    @Test func anExpiredServerIsNotTrusted() async throws {
        let error = await failure(server: try server("expired"), client: try client())
        #expect(error?.message.contains("certificate has expired") == true)
    }

    @Test func aServerByAnotherNameIsNotTrusted() async throws {
        let error = await failure(
            server: try server(), client: try client(serverName: "other.example"))
        #expect(error?.message.contains("ostname mismatch") == true)
    }

    @Test(arguments: [nil, "stranger", "expired"] as [String?])
    func aClientWithoutAGoodCertificateIsTurnedAway(name: String?) async throws {
        let error = await failure(server: try server(), client: try client(name))
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("refused") == true)
    }

    @Test func aListOfRevokedSaysForHowLongItIsGood() throws {
        let made = try Self.certificates.get()
        let lists = try RevocationList.read(made.path("crl.pem"))
        let list = try #require(lists.first)
        #expect(lists.count == 1 && list.issuer.contains("CN="))
        // It was made for a day.
        let validity = try #require(list.validity)
        #expect(validity > .seconds(82_800) && validity <= .seconds(86_400))
        #expect(throws: TLSError.self) { try RevocationList.read(made.path("missing.pem")) }
    }

    @Test func aRevokedClientIsTurnedAway() async throws {
        let error = await failure(server: try server(revoked: true), client: try client())
        #expect(error?.message.contains("revoked") == true)
    }

    @Test func plaintextToATLSServerIsUnavailable() async throws {
        let error = await failure(server: try server(), client: nil)
        #expect(error?.code == .unavailable)
    }

    @Test func aPlaintextServerIsUnavailableOverTLS() async throws {
        let tls = try client()
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(clientTLS: tls) { client, _, _ in
                _ = try await client.collect("Echo")
            }
        }
        #expect(error?.code == .unavailable)
    }

    @Test func filesThatCannotBeUsedAreNamed() async throws {
        let made = try Self.certificates.get()
        for (chain, key, word) in [
            ("missing.pem", "server.key", "missing.pem: No such file"),
            ("server.pem", "locked.key", "locked.key: no key in it"),
            ("server.pem", "client.key", "client.key: is not the key of"),
            ("server.key", "server.key", "server.key: no certificate"),
        ] {
            let configuration = TLSConfiguration(
                certificateChain: made.path(chain), privateKey: made.path(key),
                authorities: made.path("ca.pem"))
            let error = await #expect(throws: TLSError.self) {
                _ = try await HTTP2ServerTransport(
                    [.init(Listener.bind(to: .tcp(host: "127.0.0.1", port: 0)), tls: configuration)]
                )
            }
            #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
        }
    }
}
