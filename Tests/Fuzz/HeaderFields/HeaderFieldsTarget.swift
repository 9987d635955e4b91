import FuzzSupport
import GRPCCore

@testable import GRPCTransport

/// Header lists of requests and responses, a field a line: `name: value`. What is read from a
/// list is written as a list that reads the same.
@main struct HeaderFieldsTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let endsStream = input.choice(false, true)
        var headers = HeaderList()
        for line in input.text.unicodeScalars.split(separator: "\n") {
            // Names of pseudo-headers begin with a colon.
            let colon = line.dropFirst().firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == " " }
            // nghttp2 refuses names in upper case.
            headers.append(String(line[..<colon]).lowercased(), String(value))
        }
        tryRequest(headers)
        tryResponse(headers, endsStream: endsStream)
        for field in headers.fields {
            tryTimeout(field.value)
            tryBase64(field.value)
            tryMessage(field.value)
        }
    }

    private static func tryRequest(_ headers: HeaderList) {
        do {
            let head = try RequestHead.parse(headers)
            requireEqual(
                headers[":path"],
                "/\(head.method.service.fullyQualifiedService)/\(head.method.method)")
            if let timeout = head.timeout { require(timeout >= .zero, "a negative timeout") }
            tryMetadata(head.metadata)
        } catch {
            switch error {
            case .http(let status, _): require((400..<500).contains(status), "status \(status)")
            case .grpc(let status, _): require(status.code != .ok, "a rejection that is OK")
            }
        }
    }

    /// Metadata survives being sent, unless a name or a value is none that can be sent.
    private static func tryMetadata(_ metadata: Metadata) {
        var sent = HeaderList()
        guard (try? MetadataHeaders.append(metadata, to: &sent)) != nil else { return }
        guard let read = try? MetadataHeaders.metadata(of: sent) else {
            fatalError("metadata that we send ourselves cannot be read: \(sent)")
        }
        requireEqual(
            read.map { "\($0.key.lowercased()): \($0.value)" },
            metadata.map { "\($0.key.lowercased()): \($0.value)" })
    }

    private static func tryResponse(_ headers: HeaderList, endsStream: Bool) {
        _ = ResponseHead.first(headers, endsStream: endsStream)
        let (status, _) = ResponseHead.last(headers)
        var sent = HeaderList()
        StatusHeaders.append(status, to: &sent)
        requireEqual(StatusHeaders.status(of: sent), status)
    }

    private static func tryTimeout(_ text: String) {
        guard let timeout = try? TimeoutHeader.parse(text) else { return }
        // Of the many ways to write a duration, one is as it was.
        let units: [(String, Duration)] = [
            ("H", .seconds(3600)), ("M", .seconds(60)), ("S", .seconds(1)),
            ("m", .milliseconds(1)), ("u", .microseconds(1)), ("n", .nanoseconds(1)),
        ]
        guard let (_, unit) = units.first(where: { text.hasSuffix($0.0) }),
            let amount = Int64(text.dropLast()), text.utf8.first.map({ $0 != 0x2B }) ?? false
        else { fatalError("'\(text)' is no timeout") }
        requireEqual(timeout, unit * Int(amount))
    }

    private static func tryBase64(_ text: String) {
        let bytes = Array(text.utf8)
        let encoded = Base64.encode(bytes)
        requireEqual(Base64.decode(encoded.utf8), bytes)
        requireEqual(Base64.decode(encoded.utf8.filter { $0 != UInt8(ascii: "=") }), bytes)
        guard let decoded = Base64.decode(text.utf8) else { return }
        requireEqual(Base64.decode(Base64.encode(decoded).utf8), decoded)
        requireEqual(decoded.count, text.utf8.filter { $0 != UInt8(ascii: "=") }.count * 3 / 4)
    }

    private static func tryMessage(_ text: String) {
        let encoded = StatusHeaders.percentEncoded(text)
        require(encoded.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "not printable ASCII")
        requireEqual(StatusHeaders.percentDecoded(encoded), text)
        _ = StatusHeaders.percentDecoded(text)
    }
}
