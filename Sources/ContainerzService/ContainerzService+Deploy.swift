import FoundationEssentials
import GNOI
import GRPCCore
import ImageLoading
import ImageStream
import Logging
import OCI
import RuntimeAPI
import SwiftProtobuf
import SystemIO

extension ContainerzService {
    typealias DeployRequests = RPCAsyncSequence<Gnoi_Containerz_DeployRequest, any Error>
    typealias DeployResponses = RPCWriter<Gnoi_Containerz_DeployResponse>

    @EventLoop
    func deploy(
        _ requests: DeployRequests, _ responses: DeployResponses,
        _ call: CallInProgress
    ) async throws {
        var requests = requests.makeAsyncIterator()
        var transfer = DeployTransfer.awaitingTransfer
        guard let first = try await requests.next(isolation: EventLoop.shared) else {
            return try transfer.endOfStream()
        }
        _ = try transfer.receive(first)
        call.tell(of: first.imageTransfer)
        try first.imageTransfer.checkLimits()
        guard !first.imageTransfer.isPlugin else {
            return try await deployPlugin(
                first.imageTransfer, &requests, &transfer, responses, call)
        }
        let name = try Self.imageReference(first.imageTransfer)
        guard !first.imageTransfer.hasRemoteDownload else {
            return try await deployRemote(first.imageTransfer, as: name, responses, call)
        }
        let size = Int64(clamping: first.imageTransfer.imageSize)
        let free = try await runtime.info().storage?.free
        try deploys.admit(size, free: free)
        defer { deploys.release(size) }

        let pipeline = try ImageLoad(
            runtime, as: name, limits: ImageStreamLimits(archiveSize: size, freeStorage: free),
            interrupt: call.interrupt)
        let image: NormalisedImage
        do {
            try await receive(&requests, &transfer, responses) { await pipeline.push($0) }
            image = try await pipeline.finish()
        } catch {
            throw await pipeline.abandon(error)
        }
        call.carryOut()
        call.tell(of: image)
        logger.info(
            "deployed",
            metadata: ["image": "\(image.name.tagged)", "bytes": .stringConvertible(size)])
        try await responses.write(
            .with {
                $0.imageTransferSuccess = .with {
                    $0.name = image.name.repository
                    $0.tag = image.name.tag ?? ImageReference.defaultTag
                    $0.imageSize = UInt64(size)
                }
            })
    }

    /// Asks for the content and passes it on until the client says that it was all.
    @EventLoop
    func receive(
        _ requests: inout DeployRequests.AsyncIterator, _ transfer: inout DeployTransfer,
        _ responses: DeployResponses, _ push: @EventLoop (Data) async -> Void
    ) async throws {
        try await responses.write(
            .with { $0.imageTransferReady.chunkSize = Int32(configuration.chunkSize) })
        while let request = try await requests.next(isolation: EventLoop.shared) {
            switch try transfer.receive(request) {
            case .begin: break
            case .pass(let received):
                await push(request.content)
                try await responses.write(
                    .with { $0.imageTransferProgress.bytesReceived = received })
            case .finish: return
            }
        }
        // A broken stream looks like an end here when its cancellation is still on its way.
        try Task.checkCancellation()
        try transfer.endOfStream()
    }

    /// The name to give the image; nil for the archive's own.
    private static func imageReference(
        _ transfer: Gnoi_Containerz_ImageTransfer
    ) throws -> ImageReference? {
        if transfer.name.isEmpty {
            guard transfer.tag.isEmpty else {
                throw RequestError("image_transfer.name", "there is a tag, but no name")
            }
            return nil
        }
        return try ImageReference(
            repository: transfer.name,
            tag: transfer.tag.isEmpty ? ImageReference.defaultTag : transfer.tag)
    }
}
