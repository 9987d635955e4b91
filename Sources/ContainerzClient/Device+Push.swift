import FoundationEssentials
import GNOI
import GRPCCore
import SwiftProtobuf
import SystemIO

/// An image that a device has taken.
public struct PushedImage: Encodable, Hashable, Sendable {
    public var name: String
    public var tag: String
    /// In bytes.
    public var size: UInt64
}

extension Device {
    /// Pushes a tarball, without waiting for each piece to be acknowledged.
    ///
    /// - Parameters:
    ///   - name: empty for the archive's own; `tag` has to be empty as well then.
    ///   - progress: told the bytes the device has received.
    /// - Throws: `RPCError`, `SystemError` when the source cannot be read.
    public func push(
        _ source: PushSource, as name: String, tag: String,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> PushedImage {
        try await push(
            source,
            .with {
                $0.name = name
                $0.tag = tag
            }, progress)
    }

    /// Has the device fetch an image by itself.
    ///
    /// - Parameters:
    ///   - name: empty for the one in the registry; `tag` has to be empty as well then.
    ///   - progress: told the bytes the device has received.
    /// - Throws: `RPCError`.
    public func pull(
        _ download: Gnoi_Common_RemoteDownload, as name: String, tag: String,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> PushedImage {
        try await client.deploy(
            metadata: [:], options: options,
            requestProducer: { writer in
                try await writer.write(
                    .with {
                        $0.imageTransfer = .with {
                            $0.name = name
                            $0.tag = tag
                            $0.remoteDownload = download
                        }
                    })
            },
            onResponse: { response in
                try await receive(response, ChunkSize(), progress)
            })
    }

    func push(
        _ source: PushSource, _ transfer: Gnoi_Containerz_ImageTransfer,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> PushedImage {
        var transfer = transfer
        transfer.imageSize = UInt64(source.size)
        let ready = ChunkSize()
        let failure = SourceFailure()
        do {
            return try await client.deploy(
                metadata: [:], options: options,
                requestProducer: { [transfer] writer in
                    try await writer.write(.with { $0.imageTransfer = transfer })
                    guard let size = await ready.value() else { return }
                    do {
                        try await Self.send(source, by: size, to: writer)
                    } catch {
                        if error is SystemError || error is PushSource.Changed {
                            await failure.note(error)
                        }
                        throw error
                    }
                },
                onResponse: { response in
                    defer { EventLoop.enqueue { ready.set(nil) } }
                    return try await receive(response, ready, progress)
                })
        } catch {
            throw await failure.error ?? error
        }
    }

    private static func send(
        _ source: PushSource, by chunkSize: Int, to writer: RPCWriter<Gnoi_Containerz_DeployRequest>
    ) async throws {
        var offset: Int64 = 0
        while offset < source.size {
            let wanted = Int(min(Int64(chunkSize), source.size - offset))
            let bytes = try source.read(wanted, at: offset)
            // A file that shrinks meanwhile, which is noticed below.
            if bytes.isEmpty { break }
            offset += Int64(bytes.count)
            try await writer.write(.with { $0.content = Data(bytes) })
        }
        try source.requireUnchanged()
        try await writer.write(.with { $0.imageTransferEnd = .init() })
    }

    private func receive(
        _ response: StreamingClientResponse<Gnoi_Containerz_DeployResponse>, _ ready: ChunkSize,
        _ progress: @Sendable (Int64) -> Void
    ) async throws -> PushedImage {
        for try await message in response.messages {
            switch message.response {
            case .imageTransferReady(let transfer):
                // A device that names no size, or one beyond gRPC's limit, gets a modest one.
                let size = Int(transfer.chunkSize)
                let isSound = (1...Self.usualLargestChunk).contains(size)
                await ready.set(min(isSound ? size : Self.usualChunk, largestChunk))
            case .imageTransferProgress(let transfer):
                progress(Int64(clamping: transfer.bytesReceived))
            case .imageTransferSuccess(let success):
                return PushedImage(
                    name: success.name, tag: success.tag, size: success.imageSize)
            case .imageTransferError(let status):
                throw RPCError(
                    code: RPCError.Code(Status.Code(rawValue: Int(status.code)) ?? .unknown)
                        ?? .unknown,
                    message: status.message)
            case nil: continue
            }
        }
        throw RPCError(code: .unknown, message: "the device ended the transfer without a word")
    }

    private static let usualChunk = 64 << 10
}

/// The size the device asks for, once it has come; nil when it never will.
@EventLoop
private final class ChunkSize {
    private var size: Int??
    private let waiter = Waiter()

    nonisolated init() {}

    func set(_ size: Int?) {
        if self.size == nil { self.size = .some(size) }
        waiter.wake()
    }

    func value() async -> Int? {
        while true {
            if let size { return size }
            do { try await waiter.wait() } catch { return nil }
        }
    }
}

/// Why the source could not be read; the call itself would only say that it was cancelled.
@EventLoop
private final class SourceFailure {
    private(set) var error: (any Error)?

    nonisolated init() {}

    func note(_ error: any Error) { self.error = error }
}
