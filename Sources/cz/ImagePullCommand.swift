import ArgumentParser
import ContainerzClient
import GNOI
import Glibc
import SystemIO

struct ImagePullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Have the device fetch an image from a registry.",
        discussion: "Without --from, NAME:TAG itself names the registry.")

    @Argument(help: "NAME or NAME:TAG to give it.")
    var image: ImageArgument

    @Option(
        help: ArgumentHelp(
            "Where from: REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST.", valueName: "source"))
    var from: String?

    @Flag(name: .customLong("plain-http"), help: "The registry speaks http rather than https.")
    var plainHTTP = false

    @Option(help: ArgumentHelp("Log in to the registry under this name.", valueName: "name"))
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
    }

    func run() throws {
        let connection = try Connection(options, parent.connection)
        var download = Gnoi_Common_RemoteDownload()
        download.path = from ?? ""
        download.protocol = plainHTTP ? .http : .https
        download.sourceAddress = sourceAddress ?? ""
        download.sourceVrf = sourceVrf ?? ""
        if let username {
            download.credentials.username = username
            download.credentials.cleartext = readLine(strippingNewline: true) ?? ""
        }
        let image = image
        try Program.run("image pull", connection) { [download] device in
            let bar = ProgressBar(image.description, total: 0)
            defer { bar.finish() }
            let pulled = try await device.pull(download, as: image.name, tag: image.tag) {
                bar.update($0)
            }
            if connection.json {
                try Output.write(json: pulled)
            } else {
                try StandardOutput.write("\(pulled.name):\(pulled.tag)\n")
            }
        }
    }
}
