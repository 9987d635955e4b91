import GNOI
import GRPCCore
import OCI
import RuntimeAPI
import ServerAddress

/// What a device is asked to fetch by itself, as cz-pull's arguments (gNOI Containerz, Deploy;
/// gNOI common, RemoteDownload).
struct RemoteDownload: Hashable, Sendable {
    var arguments: [String]
    /// The last of them.
    private var source = ""

    /// What is fetched, without the query of a URL, which may be a password.
    var auditText: String { String(source.prefix { !"?#".contains($0) }) }

    /// Goes to cz-pull's standard input.
    var password: String?

    /// - Throws: ``RequestError``, `ImageReferenceError`, or `RPCError` with PERMISSION_DENIED.
    init(_ transfer: Gnoi_Containerz_ImageTransfer, _ pull: PullConfiguration) throws {
        let download = transfer.remoteDownload
        arguments = ["--json", "--output", "-", "--deny-local"]
        // What a client names, or a server redirects to, must not be this device itself.
        for host in pull.hosts ?? [] where host.isExact {
            arguments += ["--allow-local", "\(host)"]
        }
        let source: String
        let host: String
        if let address = try Self.fileAddress(download) {
            source = address.url
            host = address.host
            arguments += ["--format", "as-is"]
            if let path = pull.knownHosts, address.scheme == .sftp || address.scheme == .scp {
                arguments += ["--known-hosts", path]
            }
        } else {
            guard !transfer.isPlugin else {
                throw RequestError(
                    "remote_download.path", "plugins come from file servers, as .tar and the like")
            }
            (source, host) = try Self.registryReference(transfer)
            arguments += ["--format", "oci"]
            if download.protocol == .http { arguments.append("--plain-http") }
            // What the device knows is not for a client to have sent without encryption.
            let authfile = download.protocol == .http ? nil : pull.authfile
            for (option, path) in [
                ("--cache", pull.cache), ("--registries", pull.registries),
                ("--authfile", authfile),
            ] {
                if let path { arguments += [option, path] }
            }
        }
        guard pull.allows(host, defaultPort: Self.defaultPort(download.protocol)) else {
            throw RPCError(
                code: .permissionDenied,
                message: "images may not be fetched from \(host): it is not among --pull-from")
        }
        try addInterface(download)
        try addCredentials(download)
        // Whatever it looks like, it is no option.
        arguments += ["--", source]
        self.source = source
    }

    /// The file on a server that is meant; nil when it is an image in a registry.
    private static func fileAddress(
        _ download: Gnoi_Common_RemoteDownload
    ) throws(RequestError) -> FileAddress? {
        let scheme: FileAddress.Scheme
        switch download.protocol {
        case .http: scheme = .http
        case .https: scheme = .https
        case .sftp: scheme = .sftp
        case .scp: scheme = .scp
        case .unknown, .UNRECOGNIZED:
            throw RequestError("remote_download.protocol", "there is no such protocol")
        }
        let path = dropping("\(scheme.rawValue)://", from: download.path)
        let address: FileAddress?
        let expected: String
        switch scheme {
        case .http, .https:
            let end = path.firstIndex { "?#".contains($0) } ?? path.endIndex
            guard FileAddress.tarballEndings.contains(where: path[..<end].hasSuffix) else {
                return nil
            }
            address = FileAddress("\(scheme.rawValue)://\(path)")
            expected = "HOST/PATH"
        case .sftp, .scp:
            address =
                path == download.path
                ? FileAddress(scheme, hostAndPath: path) : FileAddress(download.path)
            expected = "HOST:/PATH"
        }
        guard let address, address.username == nil else {
            throw RequestError("remote_download.path", "'\(download.path)' is not \(expected)")
        }
        return address
    }

    private static func defaultPort(
        _ scheme: Gnoi_Common_RemoteDownload.ProtocolEnum
    ) -> Int? {
        switch scheme {
        case .http: 80
        case .https: 443
        case .sftp, .scp: 22
        case .unknown, .UNRECOGNIZED: nil
        }
    }

    private static func registryReference(
        _ transfer: Gnoi_Containerz_ImageTransfer
    ) throws -> (reference: String, host: String) {
        let scheme = transfer.remoteDownload.protocol == .http ? "http://" : "https://"
        let path = dropping(scheme, from: transfer.remoteDownload.path)
        let tag = transfer.tag.isEmpty ? ImageReference.defaultTag : transfer.tag
        let reference = path.isEmpty ? "\(transfer.name):\(tag)" : path
        guard let parsed = RegistryReference(try ImageReference(parsing: reference)) else {
            throw RequestError(
                "remote_download.path", "'\(reference)' names no registry: REGISTRY/NAME:TAG")
        }
        return (reference, parsed.registry)
    }

    private mutating func addInterface(
        _ download: Gnoi_Common_RemoteDownload
    ) throws(RequestError) {
        let (address, vrf) = (download.sourceAddress, download.sourceVrf)
        guard address.isEmpty || vrf.isEmpty else {
            throw RequestError(
                "remote_download.source_vrf", "it cannot be given beside source_address")
        }
        for (field, text) in [("source_address", address), ("source_vrf", vrf)]
        where !text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "!") }) {
            throw RequestError("remote_download.\(field)", "there are odd characters in it")
        }
        // libcurl's words for which of the two it is.
        if !address.isEmpty { arguments += ["--interface", "host!\(address)"] }
        if !vrf.isEmpty { arguments += ["--interface", "if!\(vrf)"] }
    }

    private mutating func addCredentials(
        _ download: Gnoi_Common_RemoteDownload
    ) throws(RequestError) {
        guard download.hasCredentials else { return }
        let credentials = download.credentials
        guard case .cleartext(let password)? = credentials.password, !credentials.username.isEmpty
        else {
            throw RequestError(
                "remote_download.credentials", "they have to be a username and a cleartext")
        }
        // It has to fit into a pipe that nobody reads yet.
        guard password.utf8.count <= RequestLimits.passwordBytes.maximum else {
            throw RequestError(
                "remote_download.credentials",
                "the password has more than \(RequestLimits.passwordBytes.maximum) bytes")
        }
        guard !password.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == 0 }) else {
            throw RequestError("remote_download.credentials", "the password has two lines")
        }
        // In one, since it may look like an option.
        arguments += ["--username=\(credentials.username)", "--password-stdin"]
        self.password = password
    }

    private static func dropping(_ prefix: String, from path: String) -> String {
        path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
    }
}
