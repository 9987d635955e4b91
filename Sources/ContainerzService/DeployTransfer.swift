import GNOI

/// What a client has to send in a Deploy, and in which order (gNOI Containerz, Deploy). Pure: it
/// is fed messages and says what to do.
enum DeployTransfer: Equatable {
    case awaitingTransfer
    case receiving(received: UInt64, of: UInt64)
    case complete(UInt64)

    enum Action: Equatable {
        /// The transfer has begun.
        case begin
        /// Pass the content on and tell of the progress.
        case pass(received: UInt64)
        case finish
    }

    /// - Throws: ``RequestError`` when the message is out of order or the size is wrong.
    mutating func receive(
        _ request: Gnoi_Containerz_DeployRequest
    ) throws(RequestError) -> Action {
        switch (self, request.request) {
        case (.awaitingTransfer, .imageTransfer(let transfer)):
            guard transfer.imageSize > 0 || transfer.hasRemoteDownload else {
                throw RequestError("image_transfer", "the image has no size")
            }
            self = .receiving(received: 0, of: transfer.imageSize)
            return .begin
        case (.awaitingTransfer, _):
            throw RequestError("request", "the first message has to be an image_transfer")
        case (.receiving(let received, let size), .content(let content)):
            let (total, overflow) = received.addingReportingOverflow(UInt64(content.count))
            guard !overflow, total <= size else {
                throw RequestError(
                    "content", "there are more than the \(size) bytes announced")
            }
            self = .receiving(received: total, of: size)
            return .pass(received: total)
        case (.receiving(let received, let size), .imageTransferEnd):
            guard received == size else {
                throw RequestError(
                    "image_transfer_end",
                    "\(received) bytes have come of the \(size) announced")
            }
            self = .complete(size)
            return .finish
        case (.receiving, .imageTransfer):
            throw RequestError("image_transfer", "the transfer has begun already")
        case (.receiving, nil):
            throw RequestError("request", "the message is empty")
        case (.complete, _):
            throw RequestError("request", "the transfer has ended already")
        }
    }

    /// The client sends no more.
    ///
    /// - Throws: ``RequestError`` unless everything has come.
    func endOfStream() throws(RequestError) {
        switch self {
        case .awaitingTransfer: throw RequestError("request", "there is no image_transfer")
        case .receiving(let received, let size):
            throw RequestError(
                "request",
                "the stream ended without image_transfer_end, after \(received) of \(size) bytes")
        case .complete: break
        }
    }
}
