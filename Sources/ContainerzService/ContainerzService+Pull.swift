import GNOI
import GRPCCore
import ImageStream
import Logging
import OCI
import RuntimeAPI
import SwiftProtobuf
import SystemIO

extension ContainerzService {
    /// The part of Deploy in which the device fetches the image itself. cz-pull does that, with no
    /// more rights than this process; what it brings is looked at like what clients push.
    @EventLoop
    func deployRemote(
        _ transfer: Gnoi_Containerz_ImageTransfer, as name: ImageReference?,
        _ responses: DeployResponses, _ call: CallInProgress
    ) async throws {
        let download = try RemoteDownload(transfer)
        let free = try await runtime.info().storage?.free
        try deploys.admit(0, free: free)
        defer { deploys.release(0) }
        let pipeline = try DeployPipeline(
            runtime, as: name, limits: ImageStreamLimits(maximumExpansion: free ?? .max),
            interrupt: call.interrupt)
        let image: NormalisedImage
        do {
            let pull = try PullProcess(configuration.pullProgram, download)
            do {
                async let copying: Void = pull.copy { await pipeline.push($0) }
                try await pull.follow { progress in
                    switch progress {
                    case .resolved(let size):
                        if let free, size > free {
                            throw RPCError(
                                code: .resourceExhausted,
                                message: "the image has \(size) bytes, but only \(free) are free "
                                    + "on the device")
                        }
                    case .received(let count):
                        try await responses.write(
                            .with { $0.imageTransferProgress.bytesReceived = count })
                    }
                }
                try await copying
                try await pull.finish()
            } catch {
                pull.terminate()
                throw error
            }
            image = try await pipeline.finish()
        } catch {
            throw await pipeline.abandon(error)
        }
        logger.info(
            "fetched", metadata: ["image": "\(image.name.tagged)", "bytes": "\(image.size)"])
        try await responses.write(
            .with {
                $0.imageTransferSuccess = .with {
                    $0.name = image.name.repository
                    $0.tag = image.name.tag ?? ImageReference.defaultTag
                    $0.imageSize = UInt64(image.size)
                }
            })
    }
}
