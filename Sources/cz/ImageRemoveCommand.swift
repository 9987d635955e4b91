import ArgumentParser
import ContainerzClient
import SystemIO

struct ImageRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove images from a device.", aliases: ["rm"])

    @Argument(help: "NAME or NAME:TAG.", completion: LiveCompletion.images)
    var images: [ImageArgument]

    @Flag(help: "Although a stopped container uses it.")
    var force = false

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let force = force
        let images = Dictionary(images.map { ($0.description, $0) }, uniquingKeysWith: { $1 })
        try Program.forEach(self.images.map(\.description), "image remove", connection) {
            guard let image = images[$1] else { return }
            try await $0.removeImage(image.name, tag: image.tag, force: force)
            if connection.json { try Output.write(json: Output.Removed(removed: $1)) }
        }
    }
}
