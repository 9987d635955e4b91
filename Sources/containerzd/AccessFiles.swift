import AccessControl
import Authorization
import GRPCTransport
import JSON
import Logging
import SystemIO

/// The files that say who is let in: certificates, passwords, the authorization policy. They are
/// read again when they change; what is wrong then changes nothing.
@EventLoop
final class AccessFiles {
    /// Where the policy is expected.
    nonisolated static let usualPolicy = "/etc/containerz/authz.json"

    private let policyFile: String?
    private let passwordFile: String?
    private let tls: TLSConfiguration?
    private let logger: Logger
    private let policy: CurrentPolicy
    private let passwords: PasswordAuthentication?
    private var transport: HTTP2ServerTransport?
    private var watch: FileWatch?
    private let reminder: RevocationReminder?
    private var reloading: Task<Void, Never>?
    /// Whether something changed while the files were being read.
    private var isStale = false

    /// What is wrong with which file.
    struct Refusal: Error, CustomStringConvertible { var description: String }

    /// - Parameter policy: nil where everybody may do everything.
    /// - Throws: ``Refusal``.
    init(
        policy: String?, passwords: String?, tls: TLSConfiguration?, logger: Logger
    ) throws(Refusal) {
        policyFile = policy
        passwordFile = passwords
        self.tls = tls
        self.logger = logger
        reminder = tls?.revocationLists.map { RevocationReminder($0, logger: logger) }
        let files =
            [policy, passwords] + [
                tls?.certificateChain, tls?.privateKey, tls?.authorities, tls?.revocationLists,
            ]
        let present = files.compactMap(\.self)
        // Before they are read; but what reading them complains of says more.
        let watching = Result { () throws(SystemError) in
            present.isEmpty ? nil : try FileWatch(present)
        }
        try Self.check(tls)
        if let policy {
            self.policy = CurrentPolicy(try Self.readPolicy(policy))
        } else {
            self.policy = CurrentPolicy(nil)
        }
        if let passwords {
            self.passwords = PasswordAuthentication(try Self.readPasswords(passwords))
        } else {
            self.passwords = nil
        }
        do throws(SystemError) {
            watch = try watching.get()
        } catch {
            throw Refusal(description: "\(error)")
        }
    }

    /// - Parameters:
    ///   - requiresProof: whether clients have to say who they are.
    ///   - most: RPCs of one principal at a time.
    func interceptor(requiresProof: Bool, most: Int) -> AccessInterceptor {
        AccessInterceptor(
            Authenticator(passwords: passwords, requiresProof: requiresProof), policy,
            PrincipalLoad(maximum: most))
    }

    /// Reads the files again from now on when they change.
    func watch(for transport: HTTP2ServerTransport) {
        self.transport = transport
        reminder?.begin()
        watch?.tell { [weak self] in self?.reload() }
    }

    func cancel() {
        watch?.cancel()
        watch = nil
        reminder?.cancel()
    }

    /// Reads all of them again, soon.
    func reload() {
        guard reloading == nil else {
            isStale = true
            return
        }
        reloading = EventLoop.task { [self] in
            repeat {
                isStale = false
                await readAgain()
            } while isStale
            reloading = nil
        }
    }

    private func readAgain() async {
        if let policyFile {
            renew("the authorization policy") { () throws(Refusal) in
                policy.replace(try Self.readPolicy(policyFile))
            }
        }
        if let passwordFile, let passwords {
            // Trying each hash takes a tenth of a second.
            let new: Result<PasswordFile, Refusal>
            do {
                new = try await withOwnThread(named: "passwords") {
                    Result { () throws(Refusal) in try Self.readPasswords(passwordFile) }
                }
            } catch {
                new = .failure(Refusal(description: "\(passwordFile): \(error)"))
            }
            renew("the passwords") { () throws(Refusal) in passwords.replace(try new.get()) }
        }
        if let transport, tls != nil {
            renew("the certificates") { () throws(Refusal) in
                try Self.check(tls)
                do {
                    try transport.reloadCertificates()
                    reminder?.begin()
                } catch {
                    throw Refusal(description: "\(error)")
                }
            }
        }
    }

    private func renew(_ what: String, _ body: () throws(Refusal) -> Void) {
        do {
            try body()
            logger.info("read again: \(what)")
        } catch {
            logger.error(
                "\(what) stay as they were: the new file is wrong",
                metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Reading

    nonisolated static func readPolicy(_ path: String) throws(Refusal) -> AuthorizationPolicy {
        let text = try read(path, .open)
        do throws(JSONObjectReader.Failure) {
            return try AuthorizationPolicy(parsing: text)
        } catch {
            throw Refusal(description: "\(path): \(error)")
        }
    }

    private nonisolated static func readPasswords(_ path: String) throws(Refusal) -> PasswordFile {
        let text = try read(path, .secret)
        do throws(PasswordFile.Failure) {
            return try PasswordFile(parsing: text)
        } catch {
            throw Refusal(description: "\(path): \(error)")
        }
    }

    private nonisolated static func read(
        _ path: String, _ content: TrustedFile.Content
    ) throws(Refusal) -> [UInt8] {
        do throws(TrustedFile.Refusal) {
            return try TrustedFile.read(path, content)
        } catch {
            throw Refusal(description: "\(error)")
        }
    }

    /// OpenSSL reads these by itself, and does not ask who else may.
    private static func check(_ tls: TLSConfiguration?) throws(Refusal) {
        guard let tls else { return }
        do throws(TrustedFile.Refusal) {
            for case let path? in [tls.certificateChain, tls.authorities, tls.revocationLists] {
                try TrustedFile.check(path, .open)
            }
            if let key = tls.privateKey { try TrustedFile.check(key, .secret) }
        } catch {
            throw Refusal(description: "\(error)")
        }
    }
}
