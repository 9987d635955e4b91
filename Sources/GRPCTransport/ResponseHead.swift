import GRPCCore

/// The header lists of a response, as a client understands them (gRPC over HTTP2, "Responses").
enum ResponseHead {
    /// What the first header list says.
    enum First {
        /// The RPC goes on with this metadata.
        case metadata(Metadata)
        /// It is over: a trailers-only response, or no gRPC at all.
        case status(Status, Metadata)
        /// An interim response; the real one follows.
        case interim
    }

    static func first(_ headers: HeaderList, endsStream: Bool) -> First {
        let http = headers[":status"] ?? ""
        if http.hasPrefix("1") { return .interim }
        if endsStream, headers["grpc-status"] != nil { return last(headers) }
        guard http == "200" else { return .status(StatusHeaders.status(http: http), [:]) }
        guard let type = headers["content-type"], RequestHead.isGRPC(type) else {
            let message = "the peer does not speak gRPC: its answer has another content type"
            return .status(Status(code: .unknown, message: message), [:])
        }
        guard !endsStream else { return last(headers) }
        do {
            return .metadata(try MetadataHeaders.metadata(of: headers))
        } catch {
            return .status(Status(code: .internalError, message: error.message), [:])
        }
    }

    /// What the last header list says.
    static func last(_ headers: HeaderList) -> First {
        do {
            return .status(
                StatusHeaders.status(of: headers), try MetadataHeaders.metadata(of: headers))
        } catch {
            return .status(Status(code: .internalError, message: error.message), [:])
        }
    }
}
