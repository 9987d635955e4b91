import ArgumentParser
import DevicePolicy
import FoundationEssentials
import Glibc
import JSON
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
        do throws(JSONObjectReader.Failure) {
            try requireKnownFields(try JSONObjectReader(parsing: text))
        } catch {
            throw ValidationError("\(path): \(error)")
        }
        do {
            return try JSONDecoder().decode(ContainerSpec.self, from: Data(text))
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(
            _, let context),
            DecodingError.dataCorrupted(let context)
        {
            throw ValidationError("\(path): \(place(context)) has a value of the wrong type")
        } catch DecodingError.keyNotFound(let key, let context) {
            throw ValidationError("\(path): \(place(context)) has no \(key.stringValue)")
        }
    }

    private static func place(_ context: DecodingError.Context) -> String {
        let names = context.codingPath.map { key in
            key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)"
        }
        return names.isEmpty ? "it" : String(names.joined().drop { $0 == "." })
    }

    /// A field with a misspelt name would be checked as if it were not there.
    private static func requireKnownFields(
        _ object: JSONObjectReader
    ) throws(JSONObjectReader.Failure) {
        var object = object
        for name in (ContainerSpec.fieldNames[""] ?? []).sorted() {
            let fields = ContainerSpec.fieldNames[name]
            switch object.take(name) {
            case .array(let elements)?:
                guard let fields else { continue }
                for (index, element) in elements.enumerated() {
                    guard case .object = element else { continue }
                    try requireOnly(fields, JSONObjectReader(element, at: "\(name)[\(index)]"))
                }
            case .object(let members)?:
                guard let fields else { continue }
                try requireOnly(fields, JSONObjectReader(.object(members), at: name))
            default: continue
            }
        }
        try object.finish()
    }

    private static func requireOnly(
        _ fields: Set<String>, _ object: JSONObjectReader
    ) throws(JSONObjectReader.Failure) {
        var object = object
        for field in fields { _ = object.take(field) }
        try object.finish()
    }

    /// In bytes; more than a ContainerSpec may have.
    private static let maximumSpec = 4 << 20

    private static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let file =
            path == "-"
            ? try Descriptor.duplicate(of: STDIN_FILENO)
            : try Descriptor.open(path, O_RDONLY)
        return try file.readToEnd(atMost: maximumSpec, of: path)
    }
}
