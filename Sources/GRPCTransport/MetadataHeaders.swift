import GRPCCore

/// Metadata as header fields (gRPC over HTTP2, "Custom-Metadata"): text as it is, values under
/// names that end in `-bin` as base64.
enum MetadataHeaders {
    /// Names that belong to HTTP/2 or to gRPC itself and never travel as metadata.
    static func isReserved(_ name: some StringProtocol) -> Bool {
        switch name {
        case "te", "content-type", "host", "connection", "keep-alive", "proxy-connection",
            "transfer-encoding", "upgrade", "grpc-timeout", "grpc-encoding",
            "grpc-accept-encoding", "grpc-status", "grpc-message":
            true
        default: name.hasPrefix(":")
        }
    }

    /// Appends the fields of `metadata` to a header list.
    ///
    /// - Parameter timeout: whether `grpc-timeout`, which GRPCCore puts among a client's
    ///   metadata, goes along.
    /// - Throws: INTERNAL naming the field that no header can carry: it is our own program's.
    static func append(
        _ metadata: Metadata, to headers: inout HeaderList, timeout: Bool = false
    ) throws(RPCError) {
        for (key, value) in metadata {
            let name = key.lowercased()
            if isReserved(name), !(timeout && name == "grpc-timeout") { continue }
            guard isName(name) else {
                throw RPCError(
                    code: .internalError, message: "'\(key)' cannot be the name of metadata")
            }
            switch value {
            case .string(let text):
                guard isText(text) else {
                    throw RPCError(
                        code: .internalError,
                        message: "the value of metadata '\(key)' is not printable ASCII")
                }
                headers.append(name, text)
            case .binary(let bytes):
                headers.append(name, Base64.encode(bytes))
            }
        }
    }

    /// Values that may be joined in the fields of one header list: as many as fit into the
    /// largest list we accept as fields of their own. A list of commas alone would otherwise take
    /// fifty times the memory that its size is counted for.
    private static let maximumJoinedValues = 512

    /// The metadata among the fields.
    ///
    /// - Throws: INVALID_ARGUMENT naming a `-bin` field that is not base64 or has too many values.
    static func metadata(of headers: HeaderList) throws(RPCError) -> Metadata {
        var metadata = Metadata()
        var joined = 0
        for field in headers.fields where !isReserved(field.name) {
            guard field.name.hasSuffix("-bin") else {
                metadata.addString(field.value, forKey: field.name)
                continue
            }
            // Several values may be joined with commas, as HTTP allows.
            for value in field.value.split(separator: ",", omittingEmptySubsequences: false) {
                joined += 1
                guard joined <= maximumJoinedValues else {
                    throw RPCError(
                        code: .invalidArgument,
                        message: "metadata '\(field.name)' has too many values")
                }
                let trimmed = value.drop { $0 == " " }
                guard let bytes = Base64.decode(trimmed.utf8) else {
                    throw RPCError(
                        code: .invalidArgument,
                        message: "metadata '\(field.name)' is not base64")
                }
                metadata.addBinary(bytes, forKey: field.name)
            }
        }
        return metadata
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private static func isText(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }
}
