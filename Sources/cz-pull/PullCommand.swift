import ArgumentParser
import Glibc
import HTTPClient
import ImageFetching
import OCI
import RuntimeAPI
import ServerAddress
import SystemIO
import Varlink

struct PullCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cz-pull", abstract: "Fetch an image from a registry or a file server.",
        discussion: """
            SOURCE is REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, the registry named, or the \
            URL of a tarball: https://, http://, sftp:// or scp://. Every digest and size is \
            checked as the bytes go by.

            Exit codes: 0 done; 1 it failed; 64 usage; 69 the server or cz-runtime cannot be \
            reached; 77 the server wants other credentials, or the device's policy forbids it.
            """,
        version: containerzVersion)

    @Argument(help: "The image or its tarball.")
    var source: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write the tarball; - is standard output.", valueName: "file"))
    var output: String?

    @Flag(help: "Load the image into the device's engine, through cz-runtime.")
    var load = false

    @Option(help: "The tarball: docker (a docker-archive), oci, or as-is for a file.")
    var format = ArchiveFormat.docker

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp(
            "The image's name; SOURCE's without the registry, or the tarball's own, when not given.",
            valueName: "name:tag"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            "What it is to run on; this machine when not given.", valueName: "os/arch"))
    var platform: String?

    @Option(
        help: ArgumentHelp(
            "Credentials by registry, in docker's format; docker's own file when not given.",
            valueName: "file"))
    var authfile: String?

    @Option(help: ArgumentHelp("Log in under this name.", valueName: "name"))
    var username: String?

    @Flag(help: "Read the password for --username from standard input.")
    var passwordStdin = false

    @Option(help: ArgumentHelp("A key to log in with, for sftp and scp.", valueName: "file"))
    var identity: String?

    @Option(
        help: ArgumentHelp(
            "The keys of servers, for sftp and scp; ssh's own file when not given.",
            valueName: "file"))
    var knownHosts: String?

    @Option(
        help: ArgumentHelp(
            "Keep layers here, and fetch only those that are not.", valueName: "folder"))
    var cache: String?

    @Option(
        help: ArgumentHelp("Mirrors, and how hosts are reached, as JSON.", valueName: "file"))
    var registries: String?

    @Flag(name: .customLong("plain-http"), help: "Speak http rather than https to the registry.")
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

    @Flag(
        help: """
            Refuse to connect to addresses of this device and its links: loopback, link-local, \
            multicast, metadata services, and those of its interfaces.
            """)
    var denyLocal = false

    @Option(
        help: ArgumentHelp(
            "Host that --deny-local allows: HOST or HOST:PORT, any number of times.",
            valueName: "host"))
    var allowLocal: [String] = []

    @Option(
        help: ArgumentHelp(
            "cz-runtime's socket, for --load (or CZ_RUNTIME_SOCKET).", valueName: "path"))
    var runtimeSocket = UsualFiles.runtimeSocket

    @Flag(help: "Tell of what happens as one JSON object a line.")
    var json = false

    enum ArchiveFormat: String, CaseIterable, ExpressibleByArgument {
        case docker
        case oci
        case asIs = "as-is"
    }

    /// sysexits.h.
    private static let unavailable = ExitCode(EX_UNAVAILABLE)
    private static let notAllowed = ExitCode(EX_NOPERM)

    func validate() throws {
        guard load != (output != nil) else {
            throw ValidationError("one of --output and --load says where the image goes")
        }
        guard !load || format == .docker else {
            throw ValidationError("--format goes with --output")
        }
        guard !passwordStdin || username != nil else {
            throw ValidationError("--password-stdin goes with --username")
        }
        guard (certificate == nil) == (privateKey == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        guard denyLocal || allowLocal.isEmpty else {
            throw ValidationError("--allow-local goes with --deny-local")
        }
        _ = try destinations()
        _ = try imageName()
        _ = try wantedPlatform()
        if try fileAddress() != nil {
            guard format != .oci else {
                throw ValidationError("--format oci goes with a registry: a file is what it is")
            }
            guard format != .asIs || name == nil else {
                throw ValidationError("--as does not go with --format as-is: a file is what it is")
            }
            guard platform == nil, cache == nil, !plainHTTP else {
                throw ValidationError("--platform, --cache and --plain-http go with a registry")
            }
        } else {
            guard format != .asIs else { throw ValidationError("--format as-is goes with a URL") }
            guard passwordStdin || username == nil else {
                throw ValidationError("--username and --password-stdin go together")
            }
            let reference = try registryReference()
            guard name != nil || (try? reference.localName) != nil else {
                throw ValidationError("--as: the image needs a name")
            }
        }
    }

    func run() throws {
        let (json, toStandardError) = (json, output == "-")
        let plan: PullPlan
        do {
            plan = PullPlan(
                source: try planSource(), name: try imageName(),
                destination: load
                    ? .runtime(socket: runtimeSocket)
                    : output == "-" ? .standardOutput : .file(output ?? ""),
                format: format)
        } catch {
            EventLoopExecutor.run { @EventLoop in
                PullReporter(json: json, toStandardError: toStandardError).fail(error)
            }
            throw ExitCode.failure
        }
        let failure: (any Error)? = EventLoopExecutor.run { @EventLoop in
            let reporter = PullReporter(json: json, toStandardError: toStandardError)
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
        case FetchError.unavailable: unavailable
        case FetchError.unauthenticated, FetchError.forbidden, FetchError.addressDenied: notAllowed
        case RuntimeAPI.RuntimeError.engineUnavailable: unavailable
        case RuntimeAPI.RuntimeError.notPermitted: notAllowed
        case is ConnectionError: unavailable
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

    /// - Returns: nil when SOURCE is no URL.
    private func fileAddress() throws -> FileAddress? {
        guard source.contains("://") else { return nil }
        guard let address = FileAddress(source) else {
            throw ValidationError(
                "'\(source)' is not an https, http, sftp or scp URL; a name may stand in it, but "
                    + "no password")
        }
        return address
    }

    /// - Returns: nil when none is given.
    private func imageName() throws -> ImageReference? {
        do throws(ImageReferenceError) {
            return try name.map { text throws(ImageReferenceError) in
                try ImageReference(parsing: text)
            }
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

    private func destinations() throws -> DestinationPolicy {
        var destinations = DestinationPolicy()
        destinations.deniesLocal = denyLocal
        destinations.allowed = try allowLocal.map { text in
            guard let pattern = HostPattern(text), pattern.isExact else {
                throw ValidationError("--allow-local: '\(text)' is not HOST or HOST:PORT")
            }
            return pattern
        }
        return destinations
    }

    private func planSource() throws -> PullPlan.Source {
        var web = WebConfiguration()
        web.tls = HTTPTLS(
            authorities: authorities, certificate: certificate, privateKey: privateKey)
        web.interface = interface
        web.destinations = try destinations()
        let password = passwordStdin ? try Self.password() : nil
        if let address = try fileAddress() {
            var configuration = FileConfiguration()
            configuration.web = web
            configuration.username = username
            configuration.password = password
            configuration.identity = identity
            configuration.knownHosts = knownHosts ?? UsualFiles.knownHosts
            return .file(address, configuration)
        }
        let reference = try registryReference()
        var configuration = RegistryConfiguration()
        configuration.web = web
        configuration.usesPlainHTTP = plainHTTP
        if let path = registries ?? UsualFiles.registries {
            configuration.registries = try Self.parse(path, .open) {
                text throws(FetchError) in try RegistriesFile(parsing: text)
            }
        }
        var given: (registry: String, credentials: Credentials)?
        if let username, let password {
            given = (reference.registry, .password(username: username, password: password))
        }
        var file = AuthFile()
        if let path = authfile ?? UsualFiles.authentication {
            file = try Self.parse(path, .secret) {
                text throws(FetchError) in try AuthFile(parsing: text)
            }
        }
        configuration.credentials = CredentialStore(given: given, file: file)
        return .registry(
            reference, try wantedPlatform(), try cache.map { try BlobCache(in: $0) }, configuration)
    }

    /// A file of the device's own, which nobody who asks for an image answers for.
    private struct UnusableFile: Error, CustomStringConvertible {
        let path: String
        let reason: FetchError

        var description: String { "\(path): \(reason)" }
    }

    private static func parse<Value>(
        _ path: String, _ content: TrustedFile.Content,
        _ parse: ([UInt8]) throws(FetchError) -> Value
    ) throws -> Value {
        let text = try TrustedFile.read(path, content)
        do throws(FetchError) {
            return try parse(text)
        } catch {
            throw UnusableFile(path: path, reason: error)
        }
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
