import ArgumentParser
import DevicePolicy
import FoundationEssentials
import Glibc
import RuntimeAPI
import RuntimeService
import SystemIO

struct PolicyCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a policy, and whether a container is allowed by it.",
        discussion: """
            SPEC is a file with a ContainerSpec in JSON, as StartContainer takes it; - is standard \
            input. What only the engine knows is not checked: the image's digest, its own user, \
            its signature, and the volumes. Without SPEC a summary is printed.

            Exit codes: 0 the policy is sound, and the container allowed; 1 it is not sound; 64 \
            usage; 77 the container is not allowed.
            """)

    @Option(
        help: ArgumentHelp(
            "The policy; \(PolicyFile.usualPath) if it is there, and else the built-in one.",
            valueName: "file"))
    var policy: String?

    @Argument(help: ArgumentHelp("A container to be.", valueName: "spec"))
    var specification: String?

    func run() throws {
        let file = PolicyFile(policy)
        let policy: DevicePolicy
        do {
            policy = try file.read()
            _ = try PolicyFile.keys(of: policy)
        } catch {
            complain("\(error)")
            throw ExitCode.failure
        }
        guard let specification else {
            let source = file.exists ? file.path : "the built-in policy"
            return try StandardOutput.write("\(source)\n\(PolicySummary(policy))")
        }
        let spec = try Self.spec(in: specification)
        do {
            try policy.check(spec, ContainerFacts())
        } catch {
            complain("\(error)")
            throw RuntimeCommand.notPermitted
        }
        if let image = spec.image, !policy.signatureRules(for: image, nil).isEmpty {
            complain("image \(image) needs a signature, which is not looked at here")
        }
        try StandardOutput.write("allowed\n")
    }

    private static func spec(in path: String) throws -> ContainerSpec {
        let text: [UInt8]
        do throws(SystemError) {
            text = try read(path)
        } catch {
            throw ValidationError("\(path): \(error.reason)")
        }
        do {
            return try JSONDecoder().decode(ContainerSpec.self, from: Data(text))
        } catch {
            throw ValidationError("\(path) holds no ContainerSpec")
        }
    }

    /// More than anybody writes of a container.
    private static let largestSpec = 4 << 20

    private static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let file =
            path == "-"
            ? try Descriptor.duplicate(of: STDIN_FILENO)
            : try Descriptor.open(path, O_RDONLY)
        return try file.readToEnd(atMost: largestSpec, of: path)
    }
}
