import COpenSSL
import GRPCCore
import SystemIO

/// Checks names and passwords against a ``PasswordFile``, slowly for those who guess.
@EventLoop
public final class PasswordAuthentication {
    private var file: PasswordFile
    private var throttle = LoginThrottle()
    private var remembered: [[UInt8]: ContinuousClock.Instant] = [:]
    /// Of this process, so that what is remembered says nothing to anybody else.
    private let key: [UInt8]
    private var hashing = 0
    private var generation = 0

    nonisolated static let longestName = 256
    nonisolated static let longestPassword = 1024
    /// Hashing takes a processor for a tenth of a second, and memory.
    private static let mostHashing = 4
    /// Clients send their password with every RPC.
    private static let memory: Duration = .seconds(60)
    private static let mostRemembered = 1024
    /// An answer to a wrong password takes at least this long.
    private static let penalty: Duration = .seconds(1)

    public init(_ file: PasswordFile) {
        self.file = file
        var key = [UInt8](repeating: 0, count: 32)
        // Fails only where the system has no randomness at all; nothing is remembered then.
        self.key = RAND_bytes(&key, CInt(key.count)) == 1 ? key : []
    }

    /// Takes another file; what was remembered of the one before is forgotten.
    public func replace(_ file: PasswordFile) {
        self.file = file
        remembered = [:]
        generation += 1
    }

    /// - Parameter address: where the request comes from, without a port.
    /// - Throws: `RPCError`: UNAUTHENTICATED, or UNAVAILABLE when too many are at it.
    public func authenticate(
        _ name: String, _ password: String, from address: String
    ) async throws -> Principal {
        let principal = Principal(.password, ["user:\(name)"])
        guard !name.isEmpty, name.utf8.count <= Self.longestName,
            password.utf8.count <= Self.longestPassword,
            !name.utf8.contains(0), !password.utf8.contains(0)
        else { throw Self.refusal }
        let token = self.token(name, password)
        if let token, let until = remembered[token], until > .now { return principal }
        if let rest = throttle.lock(name, from: address, at: .now) {
            throw RPCError(
                code: .unauthenticated,
                message: "too many failed logins: try again in "
                    + "\(rest.components.seconds + 1) s")
        }
        guard hashing < Self.mostHashing else {
            throw RPCError(
                code: .unavailable, message: "too many logins at a time: try again")
        }
        let generation = self.generation
        let isRight = try await verify(name, password)
        guard isRight else {
            throttle.failed(name, from: address, at: .now)
            try await EventLoop.sleep(for: Self.penalty)
            throw Self.refusal
        }
        throttle.succeeded(name, from: address)
        // The file may have changed meanwhile.
        if let token, generation == self.generation { remember(token) }
        return principal
    }

    private func verify(_ name: String, _ password: String) async throws -> Bool {
        hashing += 1
        defer { hashing -= 1 }
        let file = self.file
        return try await withOwnThread(named: "password") { file.verify(name, password) }
    }

    /// The same for a wrong name and a wrong password.
    private static let refusal = RPCError(
        code: .unauthenticated, message: "the username or the password is wrong")

    private func remember(_ token: [UInt8]) {
        if remembered.count >= Self.mostRemembered {
            remembered = remembered.filter { $0.value > .now }
            if remembered.count >= Self.mostRemembered { remembered = [:] }
        }
        remembered[token] = .now + Self.memory
    }

    /// An HMAC of name and password; nil when it cannot be made.
    private func token(_ name: String, _ password: String) -> [UInt8]? {
        guard !key.isEmpty else { return nil }
        let text = Array(name.utf8) + [0] + Array(password.utf8)
        var token = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        guard
            HMAC(
                EVP_sha256(), key, CInt(key.count), text, text.count, &token, &length) != nil,
            length == 32
        else { return nil }
        return token
    }
}
