import ArgumentParser
import ContainerzClient
import GNOI
import Glibc
import ServerAddress
import SystemIO

struct ImagePullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Have the device fetch an image from a server.",
        discussion: "Without --from, NAME:TAG itself names a registry.")

    @Argument(help: "NAME or NAME:TAG to give it.")
    var image: ImageArgument

    @Option(
        help: ArgumentHelp(
            "Where from: REGISTRY/NAME:TAG, REGISTRY/NAME@DIGEST, or the URL of a tarball.",
            valueName: "source"))
    var from: String?

    @Flag(name: .customLong("plain-http"), help: "The registry speaks http rather than https.")
    var plainHTTP = false

    @Option(help: ArgumentHelp("Log in to the server under this name.", valueName: "name"))
    var username: String?

    @Flag(help: "Read the password for --username from standard input.")
    var passwordStdin = false

    @Option(help: ArgumentHelp("The device's address to connect from.", valueName: "address"))
    var sourceAddress: String?

    @Option(help: ArgumentHelp("The device's VRF to connect from.", valueName: "name"))
    var sourceVrf: String?

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard (username != nil) == passwordStdin else {
            throw ValidationError("--username and --password-stdin go together")
        }
        _ = try source()
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        var download = try source()
        download.sourceAddress = sourceAddress ?? ""
        download.sourceVrf = sourceVrf ?? ""
        if let username {
            download.credentials.username = username
            download.credentials.cleartext = readLine(strippingNewline: true) ?? ""
        }
        let image = image
        try Program.run("image pull", connection) { [download] device in
            let bar = ProgressBar(image.description, total: nil)
            defer { bar.finish() }
            let pulled = try await device.pull(download, as: image.name, tag: image.tag) {
                bar.update($0)
            }
            if connection.json {
                try Output.write(json: pulled)
            } else {
                try Output.write(line: "\(pulled.name):\(pulled.tag)")
            }
        }
    }

    /// What --from means, in the API's words.
    private func source() throws -> Gnoi_Common_RemoteDownload {
        var download = Gnoi_Common_RemoteDownload()
        download.protocol = plainHTTP ? .http : .https
        guard let from, from.contains("://") else {
            download.path = from ?? ""
            return download
        }
        guard !plainHTTP else {
            throw ValidationError(
                "--plain-http goes with a registry: the URL says how it is reached")
        }
        guard let address = FileAddress(from), address.username == nil else {
            throw ValidationError(
                "'\(from)' is not an https, http, sftp or scp URL without a name and a password")
        }
        let rest = address.url.dropFirst(address.scheme.rawValue.count + 3)
        switch address.scheme {
        case .https: download.protocol = .https
        case .http: download.protocol = .http
        case .sftp: download.protocol = .sftp
        case .scp: download.protocol = .scp
        }
        switch address.scheme {
        case .https, .http:
            let path = rest.prefix { $0 != "?" && $0 != "#" }
            guard FileAddress.tarballEndings.contains(where: path.hasSuffix) else {
                throw ValidationError(
                    "'\(from)' does not end as tarballs do: "
                        + FileAddress.tarballEndings.joined(separator: " "))
            }
            download.path = String(rest)
        case .sftp, .scp:
            guard let slash = rest.firstIndex(of: "/"),
                let path = WebAddress.percentDecoded(String(rest[slash...]))
            else { throw ValidationError("'\(from)' names no file") }
            download.path = "\(rest[..<slash]):\(path)"
        }
        return download
    }
}
