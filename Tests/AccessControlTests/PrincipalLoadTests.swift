import Authorization
import GRPCCore
import Testing

@testable import AccessControl
@testable import GRPCTransport

@Suite("RPCs at a time of one principal") struct PrincipalLoadTests {
    private let load = PrincipalLoad(maximum: 2)

    private func begin(
        _ principal: Principal, from address: String = "192.0.2.1"
    ) throws -> CallRecord {
        let record = CallRecord(
            MethodDescriptor(fullyQualifiedService: "s", method: "M"), PeerIdentity(isSecure: true),
            remotePeer: "ipv4:\(address):5", localPeer: "")
        try load.begin(record, of: principal)
        return record
    }

    @Test("Its own are counted until they are over")
    func places() throws {
        let (alice, bob) = (
            Principal(.password, [.init(.user, "user:a")]),
            Principal(.password, [.init(.user, "user:b")])
        )
        let first = try begin(alice)
        _ = try begin(alice, from: "192.0.2.2")
        let error = #expect(throws: RPCError.self) { _ = try begin(alice) }
        #expect(error?.code == .resourceExhausted)
        _ = try begin(bob)
        first.close()
        first.close()
        _ = try begin(alice)
        #expect(throws: RPCError.self) { _ = try begin(alice) }
    }

    @Test("Without names, addresses are counted")
    func addresses() throws {
        _ = try (begin(.anonymous), begin(.anonymous))
        #expect(throws: RPCError.self) { _ = try begin(.anonymous) }
        _ = try begin(.anonymous, from: "192.0.2.2")
    }
}
