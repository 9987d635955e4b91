import GRPCCore

/// The first header list of an RPC, as a server understands it.
struct RequestHead {
    var method: MethodDescriptor
    var metadata: Metadata
    /// How long the client will wait, counted from the arrival of the headers.
    var timeout: Duration?

    /// Why a request is not an RPC, and with what to answer it.
    enum Rejection: Error {
        /// Not gRPC at all: a plain HTTP status.
        case http(Int, String)
        case grpc(Status, acceptEncoding: Bool)
    }

    /// Reads the header list (gRPC over HTTP2, "Requests").
    static func parse(_ headers: HeaderList) throws(Rejection) -> RequestHead {
        guard headers[":method"] == "POST" else {
            throw .http(405, "gRPC requests are POST")
        }
        guard let type = headers["content-type"], isGRPC(type) else {
            throw .http(415, "the content type is not application/grpc")
        }
        guard let path = headers[":path"], let method = method(of: path) else {
            throw .grpc(
                Status(code: .unimplemented, message: "the path is not /SERVICE/METHOD"),
                acceptEncoding: false)
        }
        if let encoding = headers["grpc-encoding"], encoding != "identity" {
            throw .grpc(
                Status(
                    code: .unimplemented,
                    message: "messages compressed with '\(encoding)' are not supported"),
                acceptEncoding: true)
        }
        do throws(RPCError) {
            var timeout: Duration?
            if let text = headers["grpc-timeout"] { timeout = try TimeoutHeader.parse(text) }
            return RequestHead(
                method: method, metadata: try MetadataHeaders.metadata(of: headers),
                timeout: timeout)
        } catch {
            throw .grpc(
                Status(code: Status.Code(error.code), message: error.message),
                acceptEncoding: false)
        }
    }

    /// `application/grpc`, with a format or parameters of any kind after it.
    static func isGRPC(_ type: String) -> Bool {
        guard type.hasPrefix("application/grpc") else { return false }
        let rest = type.dropFirst("application/grpc".count)
        return rest.isEmpty || rest.hasPrefix("+") || rest.hasPrefix(";")
    }

    private static func method(of path: String) -> MethodDescriptor? {
        // ASCII alone: Swift takes two spellings of one letter for the same method, and policies
        // do not.
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        let slash = UInt8(ascii: "/")
        let names = path.utf8.dropFirst()
        guard path.utf8.first == slash, let end = names.firstIndex(of: slash) else { return nil }
        let service = names[..<end]
        let method = names[end...].dropFirst()
        guard !service.isEmpty, !method.isEmpty, !method.contains(slash) else { return nil }
        return MethodDescriptor(
            fullyQualifiedService: String(Substring(service)), method: String(Substring(method)))
    }
}
