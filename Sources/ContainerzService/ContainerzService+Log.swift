import GNOI
import GRPCCore
import RuntimeAPI
import SwiftProtobuf
import SystemIO

extension ContainerzService {
    /// What the runtime may write ahead; the pipe's own size, so that it costs no memory of ours.
    private static let pipeSize = 256 << 10

    /// How long a followed line waits for others, so that many share a message; nobody sees it.
    private static let patience: Duration = .milliseconds(10)

    @EventLoop
    func log(
        _ request: Gnoi_Containerz_LogRequest, _ writer: RPCWriter<Gnoi_Containerz_LogResponse>
    ) async throws {
        try Self.requireName(request.instanceName, "instance_name")
        guard request.follow else { return try await stream(request, to: writer) }
        try await followers.run { try await stream(request, to: writer) }
    }

    @EventLoop
    private func stream(
        _ request: Gnoi_Containerz_LogRequest,
        to writer: RPCWriter<Gnoi_Containerz_LogResponse>
    ) async throws {
        let pipe = try Descriptor.pipe(capacity: Self.pipeSize)
        let reader = try PipeReader(pipe.read)
        let output = DescriptorHandoff(pipe.write)
        let (name, follow) = (request.instanceName, request.follow)
        let runtime = self.runtime
        // It ends with the log, whose end the reader sees; it fails before anything is written.
        async let streaming: Void = runtime.streamLogs(
            of: name, follow: follow, to: try output.take())
        var batcher = LogBatcher()
        // When what is there has to go, full message or not. A log that is only read to its end
        // is never short of more.
        var deadline: ContinuousClock.Instant?
        while true {
            guard let count = try reader.read({ batcher.append($0) }) else {
                if let due = deadline {
                    let rest = due - .now
                    if rest > .zero, try await reader.wait(atMost: rest) { continue }
                    deadline = nil
                    if let text = batcher.nextPartial() {
                        try await writer.write(.with { $0.msg = text })
                    }
                }
                try await reader.wait()
                continue
            }
            if count == 0 { break }
            while let text = batcher.nextFull() {
                try await writer.write(.with { $0.msg = text })
            }
            if follow, deadline == nil { deadline = .now + Self.patience }
        }
        while let text = batcher.last() { try await writer.write(.with { $0.msg = text }) }
        try await streaming
    }
}
