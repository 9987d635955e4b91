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
        if endsStream, headers["grpc-status"] != nil { return over(headers) }
        guard http == "200" else { return .status(StatusHeaders.status(http: http), [:]) }
        guard let type = headers["content-type"], RequestHead.isGRPC(type) else {
            let message = "the peer does not speak gRPC: its answer has another content type"
            return .status(Status(code: .unknown, message: message), [:])
        }
        guard !endsStream else { return over(headers) }
        do {
            return .metadata(try MetadataHeaders.metadata(of: headers))
        } catch {
            return .status(Status(code: .internalError, message: error.message), [:])
        }
    }

    /// A first header list that is the last one too.
    private static func over(_ headers: HeaderList) -> First {
        let (status, metadata) = last(headers)
        return .status(status, metadata)
    }

    /// What the last header list says.
    static func last(_ headers: HeaderList) -> (Status, Metadata) {
        do {
            let metadata = try MetadataHeaders.metadata(of: headers)
            return (StatusHeaders.status(of: headers), metadata)
        } catch {
            return (Status(code: .internalError, message: error.message), [:])
        }
    }
}
