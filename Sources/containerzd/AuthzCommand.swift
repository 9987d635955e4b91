import ArgumentParser

struct AuthzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authz", abstract: "Look at the authorization policy.",
        subcommands: [AuthzCheckCommand.self])
}
