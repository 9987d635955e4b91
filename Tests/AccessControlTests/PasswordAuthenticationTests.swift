import GRPCCore
import SystemIO
import Testing

@testable import AccessControl

@EventLoop
@Suite("Logging in")
struct PasswordAuthenticationTests {
    private let logins: PasswordAuthentication

    init() throws {
        let hash = try #require(PasswordFile.crypt("secret", setting: "$6$saltsalt$"))
        logins = PasswordAuthentication(
            try PasswordFile(parsing: Array("alice:\(hash)\nKim:\(hash)\n".utf8)),
            penalty: .zero)
    }

    private func code(
        _ name: String, _ password: String, from address: String
    ) async -> RPCError.Code? {
        do {
            _ = try await logins.authenticate(name, password, from: address)
            return nil
        } catch {
            return (error as? RPCError)?.code
        }
    }

    @Test("Whom is locked out does not profit by somebody else's login")
    func lockBeforeMemory() async {
        #expect(await code("alice", "secret", from: "1") == nil)
        for _ in 0..<LoginThrottle.freeFailures {
            #expect(await code("alice", "guess", from: "2") == .unauthenticated)
        }
        // The right one, which is remembered of the other address.
        #expect(await code("alice", "secret", from: "2") == .unauthenticated)
        #expect(await code("alice", "secret", from: "1") == nil)
    }

    @Test("Another spelling of a letter is another name")
    func spelling() async {
        #expect(await code("Kim", "secret", from: "1") == nil)
        #expect(await code("\u{212A}im", "secret", from: "1") == .unauthenticated)
    }

    @Test("Several RPCs at once with one password are one login")
    func atOnce() async {
        let logins = (0..<20).map { _ in
            Task { await code("alice", "secret", from: "1") }
        }
        var codes: [RPCError.Code?] = []
        for login in logins { codes.append(await login.value) }
        #expect(codes.count == 20 && codes.allSatisfy { $0 == nil })
    }

    @Test("Who asks at once with somebody else is refused no sooner")
    func refusedTogether() async throws {
        let penalty = Duration.seconds(1)
        let hash = try #require(PasswordFile.crypt("secret", setting: "$6$saltsalt$"))
        let logins = PasswordAuthentication(
            try PasswordFile(parsing: Array("alice:\(hash)\n".utf8)), penalty: penalty)
        let refusals = (0..<5).map { _ in
            Task { () -> Duration? in
                let start = ContinuousClock.now
                do {
                    _ = try await logins.authenticate("alice", "guess", from: "1")
                    return nil
                } catch {
                    return .now - start
                }
            }
        }
        for refusal in refusals {
            #expect(try #require(await refusal.value) >= penalty)
        }
    }

    @Test("What was remembered is forgotten with the file")
    func replacement() async throws {
        #expect(await code("alice", "secret", from: "1") == nil)
        logins.replace(try PasswordFile(parsing: []))
        #expect(await code("alice", "secret", from: "1") == .unauthenticated)
    }
}
