import ArgumentParser
import ContainerzClient
import SystemIO

struct ImagePushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Push an image from a tarball.",
        discussion: """
            The tarball is what `docker save`, `podman save` or `skopeo copy` write: a \
            docker-archive or an oci-archive, compressed or not.
            """)

    @Argument(help: "The tarball; - is standard input.", completion: .file())
    var file: String

    @Argument(help: "NAME or NAME:TAG to give it; the tarball's own when not given.")
    var image: ImageArgument?

    enum Level {}
    @OptionGroup(title: "Connection") var options: ConnectionOptions<Level>
    @ParentCommand var parent: ClientCommand

    func run() throws {
        let connection = try Connection(options, parent.connection)
        let (file, image) = (PushFile(file, for: "image push"), image)
        if connection.isFleet { _ = try file.source() }
        try Program.run("image push", connection) { device in
            let pushed = try await Self.push(file, as: image, to: device)
            if connection.json {
                try Output.write(json: pushed)
            } else {
                try Output.write(line: "\(pushed.name):\(pushed.tag)")
            }
        }
    }

    /// Pushes a file with a progress bar.
    static func push(
        _ file: PushFile, as image: ImageArgument?, to device: Device
    ) async throws -> PushedImage {
        let source = try file.source()
        let bar = ProgressBar(image?.description ?? file.name, total: source.size)
        defer { bar.finish() }
        return try await device.push(source, as: image?.name ?? "", tag: image?.tag ?? "") {
            bar.update($0)
        }
    }
}
