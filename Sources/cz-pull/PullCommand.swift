import ArgumentParser
import Glibc
import HTTPClient
import ImageStream
import OCI
import Registry
import RuntimeAPI
import SystemIO

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz-pull", abstract: "Fetch an image from a registry.",
        discussion: """
            SOURCE is REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…; the registry has to be named. \
            Every digest and size is checked as the bytes go by.

            Exit codes: 0 done; 1 it failed; 64 usage; 69 the registry or cz-runtime cannot be \
            reached; 77 the registry wants other credentials.
            """,
        version: containerzVersion)

    @Argument(help: "The image.")
    var source: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write the tarball; - is standard output.", valueName: "file"))
    var output: String?

    @Flag(help: "Load the image into the device's engine, through cz-runtime.")
    var load = false

    @Option(help: "The tarball: docker (a docker-archive) or oci.")
    var format = ArchiveFormat.docker

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "The image's name; SOURCE's without the registry when not given.",
            valueName: "name:tag"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "What it is to run on; this machine when not given.", valueName: "os/arch"))
    var platform: String?

    @Option(
        help: ArgumentHelp(
            "Credentials by registry, as docker's config.json has them.", valueName: "file"))
    var authfile: String?

    @Option(help: ArgumentHelp("Log in under this name.", valueName: "name"))
    var username: String?

    @Flag(help: "Read the password for --username from standard input.")
    var passwordStdin = false

    @Flag(name: .customLong("plain-http"), help: "Speak http rather than https.")
    var plainHTTP = false

    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp("Who signs the registry's certificate, PEM.", valueName: "file"))
    var authorities: String?

    @Option(
        name: .customLong("cert"),
        help: ArgumentHelp("A certificate to show, PEM.", valueName: "file"))
    var certificate: String?

    @Option(name: .customLong("key"), help: ArgumentHelp("Its key, PEM.", valueName: "file"))
    var privateKey: String?

    @Option(help: ArgumentHelp("The interface, VRF or address to connect from.", valueName: "name"))
    var interface: String?

    @Option(help: ArgumentHelp("cz-runtime's socket, for --load.", valueName: "path"))
    var runtimeSocket = "/run/containerz/runtime.sock"

    @Flag(help: "Tell of what happens as one JSON object a line.")
    var json = false

    enum ArchiveFormat: String, CaseIterable, ExpressibleByArgument {
        case docker
        case oci
    }

    /// sysexits.h.
    private static let unavailable = ExitCode(69)
    private static let notAllowed = ExitCode(77)

    func validate() throws {
        guard load != (output != nil) else {
            throw ValidationError("one of --output and --load says where the image goes")
        }
        guard !load || format == .docker else {
            throw ValidationError("--format goes with --output")
        }
        guard (username != nil) == passwordStdin else {
            throw ValidationError("--username and --password-stdin go together")
        }
        guard (certificate == nil) == (privateKey == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        _ = try registryReference()
        _ = try imageName()
        _ = try wantedPlatform()
    }

    func run() throws {
        let plan: PullPlan
        do {
            plan = PullPlan(
                source: try registryReference(), name: try imageName(),
                platform: try wantedPlatform(), client: try client(),
                destination: load
                    ? .runtime(socket: runtimeSocket)
                    : output == "-" ? .standardOutput : .file(output ?? ""),
                format: format)
        } catch {
            StandardError.write(line: "cz-pull: \(error)")
            throw ExitCode.failure
        }
        let reporter = PullReporter(
            plan.source.description, json: json, toStandardError: output == "-")
        let failure: (any Error)? = EventLoopExecutor.run { @EventLoop in
            do {
                try await plan.carryOut(reporter)
                return nil
            } catch {
                // Told of already.
                return error
            }
        }
        if let failure { throw Self.code(for: failure) }
    }

    private static func code(for error: any Error) -> ExitCode {
        switch error {
        case RegistryError.unavailable: unavailable
        case RegistryError.unauthenticated, RegistryError.forbidden: notAllowed
        case RuntimeAPI.RuntimeError.engineUnavailable: unavailable
        case is ConnectionFailure: unavailable
        default: .failure
        }
    }

    // MARK: Arguments

    private func registryReference() throws -> RegistryReference {
        let image: ImageReference
        do throws(ImageReferenceError) {
            image = try ImageReference(parsing: source)
        } catch {
            throw ValidationError("\(error)")
        }
        guard let reference = RegistryReference(image) else {
            throw ValidationError(
                "'\(source)' names no registry: REGISTRY/\(source), where REGISTRY is a host name")
        }
        return reference
    }

    private func imageName() throws -> ImageReference {
        do throws(ImageReferenceError) {
            if let name { return try ImageReference(parsing: name) }
            let source = try ImageReference(parsing: self.source)
            let path = source.repository.split(separator: "/").dropFirst().joined(separator: "/")
            return try ImageReference(repository: path, tag: source.tag)
        } catch {
            throw ValidationError("--as: \(error)")
        }
    }

    private func wantedPlatform() throws -> Platform {
        guard let platform else { return .current }
        let parts = platform.split(separator: "/", omittingEmptySubsequences: false).map(
            String.init)
        guard (2...3).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw ValidationError("--platform: '\(platform)' is not OS/ARCH or OS/ARCH/VARIANT")
        }
        return Platform(
            os: parts[0], architecture: parts[1], variant: parts.count == 3 ? parts[2] : nil)
    }

    private func client() throws -> RegistryClient.Configuration {
        var configuration = RegistryClient.Configuration()
        configuration.usesPlainHTTP = plainHTTP
        configuration.tls = HTTPTLS(
            authorities: authorities, certificate: certificate, privateKey: privateKey)
        configuration.interface = interface
        if let username {
            configuration.credentials = Credentials(
                username: username, password: try Self.password())
        } else if let authfile {
            let text = try TrustedFile.read(authfile, .secret)
            configuration.credentials = try AuthFile(parsing: text)
                .credentials(for: try registryReference().registry)
        }
        return configuration
    }

    /// The first line of standard input.
    private static func password() throws -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= 64 << 10,
            try check("read", { Glibc.read(STDIN_FILENO, &byte, 1) }) == 1,
            byte != UInt8(ascii: "\n")
        { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
