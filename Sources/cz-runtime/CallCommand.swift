import ArgumentParser
import Glibc
import JSON
import RuntimeAPI
import SystemIO
import Varlink

struct CallCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call",
        abstract: "Call a method and print its replies, one JSON object a line.",
        discussion: """
            METHOD is a method of org.containerz.Runtime, or a full name with its interface.

            Exit codes: 0 done; 1 the service answered with an error, whose name and parameters, \
            as JSON, are on standard error; 64 usage; 69 nobody serves on the socket, or went away \
            or broke the protocol during the call.
            """)

    @Option(help: "The socket that is served on.")
    var socket: String?

    @Argument(help: "The method.")
    var method: String

    @Argument(help: "Its parameters, a JSON object.")
    var parameters = "{}"

    @Flag(help: "Ask for several replies, where the method has some.")
    var more = false

    @Option(
        name: .customLong("fd"),
        help: ArgumentHelp(
            "A file to pass along, which parameters call 0; - is standard input.",
            valueName: "file"))
    var file: String?

    /// sysexits.h.
    private static let unavailable = ExitCode(EX_UNAVAILABLE)

    mutating func validate() throws {
        guard case .object = try? JSONValue(parsing: parameters) else {
            throw ValidationError("the parameters are not a JSON object: \(parameters)")
        }
    }

    func run() throws {
        let parameters = try JSONValue(parsing: self.parameters)
        let path = socket ?? RuntimeSocket.current
        let name = method.contains(".") ? method : "\(Runtime.interface).\(method)"
        let passed = try passedFile()
        let more = self.more
        let code = EventLoopExecutor.run { @EventLoop () -> ExitCode in
            do {
                let connection = try await Connection.connect(to: .unix(path: path))
                var code = ExitCode.success
                try await connection.call(name, parameters, more: more, passing: passed) { reply in
                    switch reply {
                    case .reply(let parameters, _):
                        try StandardOutput.write("\(try parameters.text)\n")
                    case .error(let error, let parameters):
                        complain("\(error) \(try parameters.text)")
                        code = .failure
                    }
                }
                return code
            } catch let error as ConnectionError {
                complain("\(error)")
                return Self.unavailable
            } catch {
                complain("\(error)")
                return .failure
            }
        }
        throw code
    }

    /// For reading an image, or for writing a log to what can be written to.
    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        if let both = try? Descriptor.open(path, O_RDWR) { return both }
        return try Descriptor.open(path, O_RDONLY)
    }

    private func passedFile() throws -> PassedDescriptors? {
        guard let file else { return nil }
        do {
            let descriptor =
                file == "-"
                ? try Descriptor.duplicate(of: STDIN_FILENO)
                : try Self.open(file)
            return PassedDescriptors(descriptor)
        } catch {
            complain("\(error)")
            throw ExitCode.failure
        }
    }
}
