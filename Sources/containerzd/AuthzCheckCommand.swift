import ArgumentParser
import Authorization
import Glibc
import SystemIO

struct AuthzCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether a principal may call a method, and which rule decides.",
        discussion: """
            Without --principal and --method only the policy itself is checked. Exit codes: 0 \
            allowed, or the policy is sound; 77 denied; 1 the policy is wrong.
            """)

    @Option(help: ArgumentHelp("The policy.", valueName: "file"))
    var policy = AccessFiles.usualPolicy

    @Option(
        name: .customLong("principal"),
        help: ArgumentHelp(
            "A name of the peer: a URI, a DNS name, a subject, user:NAME or unix:NAME.",
            valueName: "name"))
    var principals: [String] = []

    @Option(
        help: ArgumentHelp(
            "A method of gnoi.containerz.Containerz, or /SERVICE/METHOD.", valueName: "method"))
    var method: String?

    @Option(
        name: .customLong("header"),
        help: ArgumentHelp("A header of the request.", valueName: "key=value"))
    var headers: [String] = []

    /// sysexits.h: not allowed.
    private static let denied = ExitCode(EX_NOPERM)

    func validate() throws {
        guard principals.isEmpty == (method == nil) else {
            throw ValidationError("--principal and --method go together")
        }
        for header in headers where !header.contains("=") {
            throw ValidationError("--header: '\(header)' is not KEY=VALUE")
        }
    }

    func run() throws {
        let authorization: AuthorizationPolicy
        do {
            authorization = try AccessFiles.readPolicy(policy)
        } catch {
            StandardError.write(line: "containerzd: authz check: \(error)")
            throw ExitCode.failure
        }
        guard let method else {
            return try StandardOutput.write("\(policy): policy '\(authorization.name)' is sound\n")
        }
        var fields: [String: String] = [:]
        for header in headers {
            let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[parts[0].lowercased()] = String(parts[1])
        }
        let path = method.hasPrefix("/") ? method : "/gnoi.containerz.Containerz/\(method)"
        switch authorization.decide(
            AuthorizationRequest(
                principals: principals.map(PrincipalName.init(classifying:)), path: path,
                headers: fields))
        {
        case .allowed(let rule): try StandardOutput.write("allowed by rule '\(rule)'\n")
        case .denied(let rule):
            try StandardOutput.write("denied by rule '\(rule)'\n")
            throw Self.denied
        case .unmatched:
            try StandardOutput.write("denied: no rule allows it\n")
            throw Self.denied
        }
    }
}
