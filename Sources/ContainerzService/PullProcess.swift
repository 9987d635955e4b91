import FoundationEssentials
import GRPCCore
import Glibc
import SystemIO

/// A cz-pull that fetches an image for this process: the tarball comes out of one pipe, what it
/// has to tell out of another.
@EventLoop
final class PullProcess {
    /// What cz-pull tells, a JSON object a line.
    private struct Event: Decodable {
        var event: String
        var layer: String?
        var received: Int64?
        var size: Int64?
        var kind: String?
        var message: String?
        /// Whose address was denied.
        var host: String?
    }

    /// How it goes on.
    enum Progress {
        /// Bytes there will be.
        case resolved(Int64)
        /// Bytes there are.
        case received(UInt64)
    }

    private let child: ChildProcess
    private let tarball: PipeReader
    private let news: PipeReader
    private var failure: RPCError?
    /// What it complained of first in another form than was asked for, as the system's loader does,
    /// and how much of that is told.
    private var complaint: String?
    private static let longestComplaint = 256

    /// A line of cz-pull's is never this long.
    private static let longestLine = 64 << 10
    /// What it may see of this process's environment: where credential helpers are, and how to get
    /// out to the network.
    private static let passedOn = [
        "PATH", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "all_proxy",
        "ALL_PROXY",
    ]

    /// - Throws: `RPCError` with UNIMPLEMENTED where there is no cz-pull, or `SystemError`.
    init(_ program: String, _ download: RemoteDownload) throws {
        guard access(program, X_OK) == 0 else {
            throw RPCError(
                code: .unimplemented,
                message: "this device does not fetch images itself: cz-pull is not installed")
        }
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe(capacity: 1 << 20)
        let errors = try Descriptor.pipe()
        let environment = Self.passedOn.compactMap { name in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        child = try ChildProcess(
            program, download.arguments, environment: environment, input: input.read,
            output: output.write, errors: errors.write)
        tarball = try PipeReader(output.read)
        news = try PipeReader(errors.read)
        // A pipe holds far more than a password, which is not longer than RemoteDownload lets it be.
        if let password = download.password {
            try Array("\(password)\n".utf8).withUnsafeBytes { try input.write.writeAll($0) }
        }
    }

    /// Passes the tarball on until it ends.
    ///
    /// - Parameter most: bytes there is room for.
    /// - Throws: `RPCError` with RESOURCE_EXHAUSTED when there are more.
    func copy(upTo most: Int64, _ push: @EventLoop (Data) async -> Void) async throws {
        var copied: Int64 = 0
        while true {
            try Task.checkCancellation()
            var chunk = Data()
            guard let count = try tarball.read({ chunk = Data($0) }) else {
                try await tarball.wait()
                continue
            }
            if count == 0 { return }
            copied += Int64(count)
            guard copied <= most else {
                terminate()
                throw RPCError(
                    code: .resourceExhausted,
                    message: "it has more than the \(most) bytes that are free on the device")
            }
            await push(chunk)
        }
    }

    /// Reads what it tells until it ends.
    func follow(_ body: @EventLoop (Progress) async throws -> Void) async throws {
        var line: [UInt8] = []
        var layers: [String: UInt64] = [:]
        while true {
            var bytes: [UInt8] = []
            guard let count = try news.read({ bytes = Array($0) }) else {
                try await news.wait()
                continue
            }
            if count == 0 { return }
            line += bytes
            while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
                let event = try? JSONDecoder().decode(Event.self, from: Data(line[..<end]))
                if event == nil, complaint == nil {
                    complaint = String(
                        decoding: line[..<end].prefix(Self.longestComplaint), as: UTF8.self)
                }
                line.removeSubrange(...end)
                switch event?.event {
                case "resolved": try await body(.resolved(event?.size ?? 0))
                case "progress":
                    layers[event?.layer ?? ""] = UInt64(clamping: event?.received ?? 0)
                    try await body(.received(layers.values.reduce(0, &+)))
                case "error":
                    failure = Self.status(
                        event?.kind, event?.message ?? "it failed", host: event?.host)
                default: continue
                }
            }
            guard line.count <= Self.longestLine else {
                throw RPCError(code: .internalError, message: "cz-pull tells too much")
            }
        }
    }

    /// Waits for its end.
    ///
    /// - Throws: `RPCError` when it failed.
    func finish() async throws {
        switch await child.wait() {
        case .exited(0): return
        case .exited(let code):
            throw failure
                ?? RPCError(
                    code: .internalError,
                    message: "cz-pull ended with \(code)" + (complaint.map { ": \($0)" } ?? ""))
        case .killed(let signal):
            throw RPCError(code: .internalError, message: "cz-pull was killed by signal \(signal)")
        case .unknown(let error):
            throw RPCError(
                code: .internalError, message: "what became of cz-pull is not known: \(error)")
        }
    }

    func terminate() { child.terminate() }

    private static func status(_ kind: String?, _ message: String, host: String?) -> RPCError {
        let code: RPCError.Code =
            switch kind {
            case "notFound", "noPlatform": .notFound
            case "unauthenticated", "forbidden": .unauthenticated
            case "unavailable": .unavailable
            case "addressDenied": .permissionDenied
            case "corrupt": .dataLoss
            case "noSpace", "tooLarge": .resourceExhausted
            case "invalid": .invalidArgument
            default: .internalError
            }
        // The option is this program's, not the one that cz-pull knows.
        let hint = host.map { "; containerzd's --pull-from \($0) would allow it" } ?? ""
        return RPCError(code: code, message: message + hint)
    }
}
