import Glibc
import SystemIO

/// A folder with a lab's certificates: an authority, and what it signed for the device and for
/// two clients that the shipped authorization policy knows.
public struct LabFolder: Sendable {
    public let path: String

    public init(_ path: String) {
        self.path = path
    }

    /// A certificate and its key.
    public struct Identity: Hashable, Sendable {
        /// Relative to the folder.
        public let certificate: String
        public let key: String

        private init(_ name: String) {
            certificate = "\(name).pem"
            key = "\(name).key"
        }

        public static let authority = Identity("ca")
        /// What containerzd shows.
        public static let server = Identity("device/server")
        /// A client that may do everything.
        public static let `operator` = Identity("operator")
        /// A client that may only look.
        public static let viewer = Identity("viewer")
    }

    /// What is to be copied to the device, by the names that containerzd knows.
    public static let deviceFolder = "device"
    /// The authority once more, for containerzd: who signs clients' certificates.
    public static let clientAuthority = "device/client-ca.pem"

    /// The scopes of the shipped policy; see containerzd-authz(5).
    static let operatorURI = "spiffe://lab.example/containerz/write"
    static let viewerURI = "spiffe://lab.example/containerz/read"

    /// How long the authority is valid, so that it outlives what it signs.
    static let authorityDays = 3650
    /// How long certificates may be valid.
    public static let days = 1...authorityDays

    // MARK: Making

    /// Makes everything in a folder that has none of it.
    ///
    /// - Parameter days: how long the certificates are valid; the authority is for ten years.
    /// - Throws: ``LabFailure`` or `SystemError`; no file is left then.
    public func make(for servers: [ServerName], days: Int) throws {
        let all = [
            Identity.authority, .server, .operator, .viewer,
        ].flatMap { [$0.certificate, $0.key] }
        if let present = all.first(where: exists) {
            throw LabFailure(
                "\(path)/\(present) is there already: --renew makes new certificates from the "
                    + "same authority; for another one give another folder")
        }
        let key = try PrivateKey()
        let authority = try Certificate.authority(
            "containerz lab CA", key, days: Self.authorityDays)
        let leaves = try leaves(authority, key, for: Self.alternativeNames(servers), days)
        try write(
            [
                File(Identity.authority.certificate, try authority.pem(), isSecret: false),
                File(Identity.authority.key, try key.pem(), isSecret: true),
                File(Self.clientAuthority, try authority.pem(), isSecret: false),
            ] + leaves)
    }

    /// Makes new keys and certificates for the device and the clients, signed by the authority
    /// that is there.
    ///
    /// - Parameter servers: nil for the names that the old certificate has.
    /// - Returns: the device's names.
    /// - Throws: ``LabFailure`` or `SystemError`.
    @discardableResult
    public func renew(for servers: [ServerName]?, days: Int) throws -> [ServerName] {
        let names = Identity.authority
        let authority = try named(names.certificate, .open, Certificate.init(pem:))
        let key = try named(names.key, .secret, PrivateKey.init(pem:))
        guard authority.belongs(to: key) else {
            throw LabFailure("\(path)/\(names.key) is not the key of \(names.certificate)")
        }
        guard !authority.hasExpired else {
            throw LabFailure(
                "\(path)/\(names.certificate) is valid no longer: make a new lab in another folder")
        }
        let servers = try servers ?? oldServers()
        try replace(
            [File(Self.clientAuthority, try authority.pem(), isSecret: false)]
                + leaves(authority, key, for: Self.alternativeNames(servers), days))
        return servers
    }

    private func oldServers() throws -> [ServerName] {
        let name = Identity.server.certificate
        let old = try named(name, .open, Certificate.init(pem:))
        guard !old.serverNames.isEmpty else {
            throw LabFailure("\(path)/\(name) has no names of a server: say them with --server")
        }
        return old.serverNames
    }

    private static func alternativeNames(_ servers: [ServerName]) -> String {
        servers.map(\.alternativeName).joined(separator: ",")
    }

    private func leaves(
        _ authority: borrowing Certificate, _ authorityKey: borrowing PrivateKey,
        for alternativeNames: String, _ days: Int
    ) throws(LabFailure) -> [File] {
        var files: [File] = []
        let all: [(Identity, String, Certificate.Purpose)] = [
            (.server, "containerzd", .server(alternativeNames: alternativeNames)),
            (.operator, "operator", .client(uri: Self.operatorURI)),
            (.viewer, "viewer", .client(uri: Self.viewerURI)),
        ]
        for (identity, name, purpose) in all {
            let key = try PrivateKey()
            let certificate = try Certificate.issued(
                by: authority, authorityKey, name, key, for: purpose, days: days)
            files.append(File(identity.certificate, try certificate.pem(), isSecret: false))
            files.append(File(identity.key, try key.pem(), isSecret: true))
        }
        return files
    }

    // MARK: Files

    private struct File {
        var name: String
        var content: [UInt8]
        var mode: mode_t

        init(_ name: String, _ content: [UInt8], isSecret: Bool) {
            self.name = name
            self.content = content
            mode = isSecret ? 0o600 : 0o644
        }
    }

    private func exists(_ name: String) -> Bool {
        access("\(path)/\(name)", F_OK) == 0
    }

    private func named<Value: ~Copyable>(
        _ name: String, _ content: TrustedFile.Content,
        _ read: ([UInt8]) throws(LabFailure) -> Value
    ) throws -> Value {
        let bytes = try TrustedFile.read("\(path)/\(name)", content)
        do throws(LabFailure) {
            return try read(bytes)
        } catch {
            throw LabFailure("\(path)/\(name): \(error)")
        }
    }

    /// Writes files that must not be there; all of them or none.
    private func write(_ files: [File]) throws(SystemError) {
        _ = try Folder(making: "\(path)/\(Self.deviceFolder)", mode: 0o700)
        var written: [File] = []
        do throws(SystemError) {
            for file in files {
                try create("\(path)/\(file.name)", file)
                written.append(file)
            }
        } catch {
            for file in written { unlink("\(path)/\(file.name)") }
            throw error
        }
    }

    /// Puts files in place of old ones, each at once.
    private func replace(_ files: [File]) throws(SystemError) {
        _ = try Folder(making: "\(path)/\(Self.deviceFolder)", mode: 0o700)
        for file in files {
            let (path, new) = ("\(path)/\(file.name)", "\(path)/\(file.name).new")
            // Left behind by one that was interrupted.
            unlink(new)
            try create(new, file)
            try check("rename", on: path) { rename(new, path) }
        }
    }

    private func create(_ path: String, _ file: File) throws(SystemError) {
        let descriptor = try Descriptor.open(
            path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: file.mode)
        do throws(SystemError) {
            var rest = file.content[...]
            let number = descriptor.number
            while !rest.isEmpty {
                let count = try check("write", on: path) {
                    rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
                }
                rest = rest.dropFirst(count)
            }
        } catch {
            unlink(path)
            throw error
        }
    }
}
