import GRPCCore

/// A status as header fields (gRPC over HTTP2, "Responses").
enum StatusHeaders {
    /// The longest `grpc-message`, in bytes as it is sent. Clients take header lists of 8 KiB
    /// by default (gRPC's C core), and no sentence for a person needs half of it.
    static let longestMessage = 4096

    /// Appends `grpc-status` and, when there is one, `grpc-message`, cut when it is too long.
    static func append(_ status: Status, to headers: inout HeaderList) {
        headers.append("grpc-status", String(status.code.rawValue))
        if !status.message.isEmpty {
            headers.append("grpc-message", percentEncoded(cut(status.message)))
        }
    }

    /// As much of the text as stays within the limit when it is encoded.
    private static func cut(_ text: String) -> String {
        // A byte becomes three at most.
        if text.utf8.count <= longestMessage / 3 { return text }
        let ellipsis = "…"
        let room = longestMessage - percentEncoded(ellipsis).utf8.count
        var kept = String.UnicodeScalarView()
        var size = 0
        for scalar in text.unicodeScalars {
            size += percentEncoded(String(scalar)).utf8.count
            if size > longestMessage { return String(kept) + ellipsis }
            if size <= room { kept.append(scalar) }
        }
        return text
    }

    /// The status that a response's last header list carries.
    ///
    /// - Returns: UNKNOWN when the number is missing or none of gRPC's.
    static func status(of headers: HeaderList) -> Status {
        let message = headers["grpc-message"].map(percentDecoded) ?? ""
        guard let text = headers["grpc-status"] else {
            return Status(code: .unknown, message: "the peer sent no grpc-status")
        }
        guard let number = Int(text), let code = Status.Code(rawValue: number) else {
            return Status(
                code: .unknown, message: "the peer sent grpc-status '\(text)': \(message)")
        }
        return Status(code: code, message: message)
    }

    /// What an HTTP status without a grpc-status means ("HTTP to gRPC Status Code Mapping").
    static func status(http: String) -> Status {
        let code: Status.Code =
            switch http {
            case "400": .internalError
            case "401": .unauthenticated
            case "403": .permissionDenied
            case "404": .unimplemented
            case "429", "502", "503", "504": .unavailable
            default: .unknown
            }
        return Status(code: code, message: "the peer answered with HTTP status \(http)")
    }

    /// What a stream that was reset means ("HTTP2 Transport Mapping, Errors").
    static func status(reset code: UInt32) -> Status {
        switch code {
        case 0x7: Status(code: .unavailable, message: "the peer refused the stream")
        case 0x8: Status(code: .cancelled, message: "the peer cancelled the RPC")
        case 0xB: Status(code: .resourceExhausted, message: "the peer asks for fewer requests")
        case 0xC: Status(code: .permissionDenied, message: "the peer finds TLS inadequate")
        default: Status(code: .internalError, message: "the stream was reset, HTTP/2 error \(code)")
        }
    }

    /// Bytes outside printable ASCII, and `%`, as `%XX`.
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 0xF)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The reverse; what is not a valid escape stays as it is, as the specification asks.
    static func percentDecoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let high = hexadecimal(rest[rest.startIndex]),
                let low = hexadecimal(rest[rest.startIndex + 1])
            {
                bytes.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
