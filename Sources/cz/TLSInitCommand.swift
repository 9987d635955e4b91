import ArgumentParser
import LabCertificates
import SystemIO

extension ServerName: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}

struct TLSInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make an authority, a device's certificate, an operator's and a viewer's.",
        discussion: """
            The operator may do everything, the viewer only look, by the authorization policy that \
            is shipped. Nothing is contacted: what goes where is printed.
            """)

    @Argument(help: ArgumentHelp("The folder to make them in.", valueName: "dir"))
    var folder: String

    @Option(
        name: .customLong("server"),
        help: ArgumentHelp(
            "A name or an address of the device, any number of times; localhost when not given.",
            valueName: "name|ip"))
    var servers: [ServerName] = []

    @Option(help: "How many days the certificates are valid; the authority is for ten years.")
    var days = 365

    @Flag(help: "Make new certificates from the authority that is there.")
    var renew = false

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @ParentCommand var parent: ClientCommand

    func validate() throws {
        guard LabFolder.days.contains(days) else {
            throw ValidationError(
                "--days: \(days) is not from \(LabFolder.days.lowerBound) to "
                    + "\(LabFolder.days.upperBound)")
        }
    }

    func run() throws {
        let lab = LabFolder(folder)
        let names: [ServerName]
        do {
            if renew {
                names = try lab.renew(for: servers.isEmpty ? nil : servers, days: days)
            } else {
                names = servers.isEmpty ? Self.usualServers : servers
                try lab.make(for: names, days: days)
            }
        } catch {
            throw Program.report(error, of: "tls init")
        }
        let guide = LabGuide(folder: folder, servers: names)
        if json || parent.connection.json {
            for file in guide.files { try Output.write(json: file) }
        } else {
            try StandardOutput.write(guide.text)
        }
    }

    private static let usualServers = [ServerName("localhost")].compactMap(\.self)
}
