import GNOI
import GRPCCore
import OCI

/// What a device is asked to fetch by itself, as cz-pull's arguments (gNOI Containerz, Deploy;
/// gNOI common, RemoteDownload).
struct RemoteDownload: Hashable, Sendable {
    var arguments: [String]
    /// Goes to cz-pull's standard input.
    var password: String?

    /// Endings of what is a file on a server rather than an image in a registry.
    private static let fileEndings = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"]

    /// - Throws: ``RequestError``, or `RPCError` with UNIMPLEMENTED.
    init(_ transfer: Gnoi_Containerz_ImageTransfer) throws {
        let download = transfer.remoteDownload
        arguments = ["--json", "--output", "-"]
        var path = download.path
        switch download.protocol {
        case .http:
            arguments.append("--plain-http")
            Self.drop("http://", from: &path)
        case .https: Self.drop("https://", from: &path)
        case .sftp, .scp: throw Self.unimplemented("files from servers by SFTP and SCP")
        case .unknown, .UNRECOGNIZED:
            throw RequestError("remote_download.protocol", "there is no such protocol")
        }
        guard !Self.fileEndings.contains(where: path.hasSuffix) else {
            throw Self.unimplemented("tarballs from file servers")
        }
        let tag = transfer.tag.isEmpty ? ImageReference.defaultTag : transfer.tag
        let reference = path.isEmpty ? "\(transfer.name):\(tag)" : path
        guard RegistryReference(try ImageReference(parsing: reference)) != nil else {
            throw RequestError(
                "remote_download.path", "'\(reference)' names no registry: REGISTRY/NAME:TAG")
        }
        if !transfer.name.isEmpty {
            arguments += ["--as", "\(try ImageReference(repository: transfer.name, tag: tag))"]
        } else if !transfer.tag.isEmpty {
            throw RequestError("image_transfer.name", "there is a tag, but no name")
        }
        try addInterface(download)
        try addCredentials(download)
        // Whatever it looks like, it is no option.
        arguments += ["--", reference]
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
        guard !password.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == 0 }) else {
            throw RequestError("remote_download.credentials", "the password has two lines")
        }
        arguments += ["--username", credentials.username, "--password-stdin"]
        self.password = password
    }

    private static func drop(_ prefix: String, from path: inout String) {
        if path.hasPrefix(prefix) { path.removeFirst(prefix.count) }
    }

    private static func unimplemented(_ what: String) -> RPCError {
        RPCError(code: .unimplemented, message: "this device does not fetch \(what) yet")
    }
}
