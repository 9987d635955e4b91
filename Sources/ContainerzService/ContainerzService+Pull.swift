import FoundationEssentials
import GNOI
import GRPCCore
import GRPCTransport
import ImageLoading
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
        let download = try RemoteDownload(transfer, configuration.pull)
        call.note(["source": .text(download.auditText)])
        let free = try await runtime.info().storage?.free
        try deploys.admit(0, free: free)
        defer { deploys.release(0) }
        let load = try ImageLoad(
            runtime, as: name, limits: ImageStreamLimits(maximumExpansion: free ?? .max),
            fetched: true, interrupt: call.interrupt)
        let image: NormalisedImage
        do {
            try await fetch(download, free: free, responses) { await load.push($0) }
            image = try await load.finish()
        } catch {
            throw Self.dataLoss(await load.abandon(error))
        }
        call.carryOut()
        call.tell(of: image)
        logger.info(
            "fetched",
            metadata: ["image": "\(image.name.tagged)", "bytes": .stringConvertible(image.size)])
        try await responses.write(
            .with {
                $0.imageTransferSuccess = .with {
                    $0.name = image.name.repository
                    $0.tag = image.name.tag ?? ImageReference.defaultTag
                    $0.imageSize = UInt64(image.size)
                }
            })
    }

    /// Has cz-pull fetch what a client named, tells the client how it goes on, and passes on what
    /// comes.
    ///
    /// - Parameter free: bytes there is room for; nil when that is not known.
    @EventLoop
    func fetch(
        _ download: RemoteDownload, free: Int64?, _ responses: DeployResponses,
        _ push: @EventLoop (Data) async -> Void
    ) async throws {
        let pull = try PullProcess(configuration.pull.program, download)
        let most = free ?? .max
        do {
            async let copying: Void = pull.copy(upTo: most, push)
            try await pull.follow { progress in
                switch progress {
                case .resolved(let size):
                    if let free, size > free {
                        throw RPCError(
                            code: .resourceExhausted,
                            message: "it has \(size) bytes, but only \(free) are free on the "
                                + "device")
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
    }

    /// What a client pushes and is no image is its mistake; what a server has is nobody's here.
    static func dataLoss(_ error: any Error) -> any Error {
        guard let error = error as? ImageStreamError else { return error }
        let status = StatusTable.status(for: error)
        guard status.code == .invalidArgument else { return error }
        return RPCError(code: .dataLoss, message: status.message)
    }
}
