import GRPCCore
import Glibc
import SystemIO
import UpgradeAPI

/// The program that says whether a package may be installed, see containerz-upgrade(8). The rules
/// are kept in it alone, since it asks itself once more before it installs anything.
struct PackageChecker: Sendable {
    let program: String

    /// What it exits with.
    private enum Code {
        static let notSigned: CInt = 3
        static let notOurs: CInt = 4
        static let older: CInt = 5
        static let noKeys: CInt = 6
        /// The device's administrator does not allow this version.
        static let notAllowed: CInt = 7
        /// A key or the settings could be changed by others, or are wrong.
        static let notTrusted: CInt = 8
    }

    private static let longestText = 16 << 10
    private static let prefix = "containerz-upgrade: "
    private static let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]

    /// - Throws: `RPCError` with UNIMPLEMENTED.
    func requireProgram() throws(RPCError) {
        guard access(program, X_OK) == 0 else {
            throw RPCError(
                code: .unimplemented,
                message: "this device takes no packages: containerz-upgrade is not installed")
        }
    }

    /// - Parameter file: its signature is the file beside it.
    /// - Returns: the version in it.
    /// - Throws: `RPCError`, or `SystemError`.
    @EventLoop
    func check(_ file: String, called name: PackageFile, allowDowngrade: Bool) async throws
        -> String
    {
        let input = try Descriptor.open("/dev/null", O_RDONLY)
        let output = try Descriptor.pipe()
        let errors = try Descriptor.pipe()
        let child = try ChildProcess(
            program, ["check"] + (allowDowngrade ? ["--allow-downgrade"] : []) + [file],
            environment: Self.environment, input: input, output: output.write,
            errors: errors.write)
        // The ends for writing are the child's alone from here on.
        let (answers, reasons) = (try Self.reader(output), try Self.reader(errors))
        async let answer = Self.text(answers)
        async let reason = Self.text(reasons)
        let (text, message) = (try await answer, try await reason)
        let end = await child.wait()
        if end == .exited(0) {
            let parts = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
            guard parts.count == 2 else {
                throw RPCError(code: .internalError, message: "\(program) answers nonsense")
            }
            guard parts[0] == name.name else {
                throw PackageTransfer.invalid("package.filename", "\(parts[0]) is what is in it")
            }
            return String(parts[1])
        }
        throw Self.status(end, message, called: name, file)
    }

    @EventLoop
    private static func reader(_ pipe: consuming Pipe) throws(SystemError) -> PipeReader {
        try PipeReader(pipe.read)
    }

    /// All that comes, of which more than a few lines are dropped.
    @EventLoop
    private static func text(_ reader: PipeReader) async throws -> String {
        var bytes: [UInt8] = []
        while true {
            guard
                let count = try reader.read({ piece in
                    bytes += piece.prefix(longestText - bytes.count)
                })
            else {
                try await reader.wait()
                continue
            }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        }
    }

    private static func status(
        _ end: ChildProcess.End, _ text: String, called name: PackageFile, _ file: String
    ) -> RPCError {
        var line =
            text.utf8.split(separator: UInt8(ascii: "\n")).last.map {
                String(decoding: $0, as: UTF8.self)
            } ?? ""
        if line.hasPrefix(prefix) { line.removeFirst(prefix.count) }
        // It knows the file by the name it has meanwhile.
        if let slash = file.lastIndex(of: "/") {
            let partial = String(file[file.index(after: slash)...])
            if line.hasPrefix(partial) { line = "\(name)" + line.dropFirst(partial.count) }
        }
        let code: RPCError.Code =
            switch end {
            case .exited(Code.notSigned), .exited(Code.notAllowed): .permissionDenied
            case .exited(Code.notOurs): .invalidArgument
            case .exited(Code.older), .exited(Code.noKeys), .exited(Code.notTrusted):
                .failedPrecondition
            default: .internalError
            }
        return RPCError(code: code, message: line.isEmpty ? "\(name) cannot be checked" : line)
    }
}
