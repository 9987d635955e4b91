import Authorization
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
    /// The addresses whose passwords are being hashed, one for each.
    private var hashing: Set<String> = []
    private var checks: [[UInt8]: Task<Bool, any Error>] = [:]
    private var generation = 0

    nonisolated static let longestName = 256
    nonisolated static let longestPassword = 1024
    /// Hashing takes a processor for a tenth of a second, and memory.
    private static let mostHashing = 4
    /// Clients send their password with every RPC.
    private static let memory: Duration = .seconds(60)
    private static let mostRemembered = 1024
    /// An answer to a wrong password takes at least this long.
    private let penalty: Duration

    public init(_ file: PasswordFile, penalty: Duration = .seconds(1)) {
        self.file = file
        self.penalty = penalty
        var key = [UInt8](repeating: 0, count: 32)
        // Fails only where the system has no randomness at all; nothing is remembered then.
        self.key = RAND_bytes(&key, CInt(key.count)) == 1 ? key : []
    }

    /// Takes another file; what was remembered of the one before is forgotten.
    public func replace(_ file: PasswordFile) {
        self.file = file
        remembered = [:]
        checks = [:]
        generation += 1
    }

    /// - Parameter address: where the request comes from, without a port.
    /// - Throws: `RPCError`: UNAUTHENTICATED, or UNAVAILABLE when too many are at it.
    public func authenticate(
        _ name: String, _ password: String, from address: String
    ) async throws -> Principal {
        let principal = Principal(.password, [.init(.user, "user:\(name)")])
        guard PasswordFile.isName(name), password.utf8.count <= Self.longestPassword,
            !password.utf8.contains(0)
        else { throw Self.refusal }
        // Before what is remembered: a guess that hits it is a guess all the same.
        if let rest = throttle.lock(name, from: address, at: .now) {
            throw RPCError(
                code: .unauthenticated,
                message: "too many failed logins: try again in "
                    + "\(rest.components.seconds + 1) s")
        }
        // Of this address alone: that somebody else has just logged in is nobody's business.
        let token = self.token(name, password, address)
        if let token, let until = remembered[token], until > .now { return principal }
        // A client that begins with several RPCs at once is checked once.
        let start = ContinuousClock.now
        if let token, let check = checks[token] {
            guard try await check.value else { try await refuse(since: start) }
            return principal
        }
        guard hashing.count < Self.mostHashing, !hashing.contains(address) else {
            throw RPCError(
                code: .unavailable, message: "too many logins at a time: try again")
        }
        let generation = self.generation
        hashing.insert(address)
        let check = EventLoop.task { [self, file] in
            defer { hashing.remove(address) }
            return try await withOwnThread(named: "password") { file.verify(name, password) }
        }
        if let token { checks[token] = check }
        let result = await check.result
        if let token { checks[token] = nil }
        let isRight = try result.get()
        guard isRight else {
            throttle.failed(name, from: address, at: .now)
            try await refuse(since: start)
        }
        throttle.succeeded(name, from: address)
        // The file may have changed meanwhile.
        if let token, generation == self.generation { remember(token) }
        return principal
    }

    /// The same for a wrong name and a wrong password.
    private static let refusal = RPCError(
        code: .unauthenticated, message: "the username or the password is wrong")

    /// However long hashing took, so that names with other costs cannot be told apart.
    private func refuse(since start: ContinuousClock.Instant) async throws -> Never {
        let rest = start + penalty - .now
        if rest > .zero { try await EventLoop.sleep(for: rest) }
        throw Self.refusal
    }

    private func remember(_ token: [UInt8]) {
        if remembered.count >= Self.mostRemembered {
            remembered = remembered.filter { $0.value > .now }
            if remembered.count >= Self.mostRemembered { remembered = [:] }
        }
        remembered[token] = .now + Self.memory
    }

    /// An HMAC of name, password and address; nil when it cannot be made.
    private func token(_ name: String, _ password: String, _ address: String) -> [UInt8]? {
        guard !key.isEmpty else { return nil }
        let text = Array(address.utf8) + [0] + Array(name.utf8) + [0] + Array(password.utf8)
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
