import FoundationEssentials
import Glibc
import SystemIO

/// A program `docker-credential-NAME` on PATH, which knows credentials by registry (docker's
/// credential helper protocol, "get").
struct CredentialHelper: Hashable, Sendable {
    let program: String

    /// Longer than any answer.
    private static let longestAnswer = 64 << 10
    /// It may have to ask a person.
    private static let patience: Duration = .seconds(120)

    /// - Returns: nil when no program can have that name.
    init?(_ name: String) {
        guard !name.isEmpty,
            name.utf8.allSatisfy({
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || "-._".utf8.contains($0)
            })
        else { return nil }
        program = "docker-credential-\(name)"
    }

    /// - Returns: nil when the helper knows none.
    /// - Throws: ``FetchError`` or `CancellationError`; no message has what the helper said.
    @EventLoop
    func credentials(for registry: String) async throws -> Credentials? {
        guard let path = Self.find(program) else {
            throw FetchError.invalid(
                "the credentials for \(registry) are with \(program), which is not on PATH")
        }
        let (answer, end) = try await Self.run(path, "get", input: registry)
        guard end == .exited(0) else {
            // The protocol has no other way to say so.
            let text = String(decoding: answer, as: UTF8.self)
            if text.contains("credentials not found") { return nil }
            throw FetchError.unavailable("\(program) gives no credentials for \(registry)")
        }
        struct Answer: Decodable {
            var username: String
            var secret: String

            private enum CodingKeys: String, CodingKey {
                case username = "Username"
                case secret = "Secret"
            }
        }
        guard let found = try? JSONDecoder().decode(Answer.self, from: Data(answer)) else {
            throw FetchError.unavailable("\(program) does not answer as a credential helper does")
        }
        return found.username == "<token>"
            ? .identityToken(found.secret)
            : .password(username: found.username, password: found.secret)
    }

    @EventLoop
    private static func run(
        _ path: String, _ argument: String, input: String
    ) async throws -> ([UInt8], ChildProcess.End) {
        let stdin = try SystemIO.Descriptor.pipe()
        let stdout = try SystemIO.Descriptor.pipe()
        let child: ChildProcess
        do {
            // What it complains of is for whoever looks at this program's own messages.
            let stderr = try SystemIO.Descriptor.duplicate(of: STDERR_FILENO)
            child = try ChildProcess(
                path, [argument], environment: Self.environment, input: stdin.read,
                output: stdout.write, errors: stderr)
        }
        // A pipe holds far more than a name.
        try Array(input.utf8).withUnsafeBytes { try stdin.write.writeAll($0) }
        stdin.read.close()
        stdin.write.close()
        stdout.write.close()
        let reader = try PipeReader(stdout.read)
        var answer: [UInt8] = []
        while true {
            guard let count = try reader.read({ answer += $0 }) else {
                guard try await reader.wait(atMost: patience) else {
                    throw FetchError.unavailable("\(path) does not answer")
                }
                continue
            }
            if count == 0 { break }
            guard answer.count <= longestAnswer else {
                throw FetchError.unavailable("\(path) answers too much")
            }
        }
        return (answer, await child.wait())
    }

    private static var environment: [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        return variables
    }

    private static func find(_ program: String) -> String? {
        guard let path = getenv("PATH") else { return nil }
        for folder in String(cString: path).split(separator: ":") where folder.hasPrefix("/") {
            let candidate = "\(folder)/\(program)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }
}
