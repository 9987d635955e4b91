import GRPCCore
import GRPCTransport
import Logging

/// Names of what an audit record says beside what the transport knows.
enum AuditKey {
    static let principal = "principal"
    static let authentication = "authentication"
    static let decision = "decision"
    static let rule = "rule"
    static let carriedOut = "carried_out"
}

/// Writes a record of each RPC, also of those that were refused or broke off. Its fields hold all
/// that a record of gNSI acctz needs.
public struct AuditLog: Sendable {
    private let logger: Logger

    /// What a client says of itself may be long; in bytes.
    static let longestText = 256

    public init(_ logger: Logger) { self.logger = logger }

    public func write(_ record: CallRecord) {
        let elapsed = (ContinuousClock.now - record.started).components
        let milliseconds = Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15
        var fields: Logger.Metadata = [
            "service": "\(Self.shortened(record.method.service.fullyQualifiedService))",
            "method": "\(Self.shortened(record.method.method))",
            "peer": "\(record.remotePeer)", "local": "\(record.localPeer)",
            "tls": "\(record.peer.isSecure)",
            "status": "\(record.code)",
            "bytes_received": "\(record.received.bytes)", "bytes_sent": "\(record.sent.bytes)",
            "messages_received": "\(record.received.messages)",
            "messages_sent": "\(record.sent.messages)",
            "duration_ms": "\((milliseconds * 1000).rounded() / 1000)",
            // A method that is not served gets no further than this.
            AuditKey.decision: "none",
        ]
        if let target = record.target { fields["target"] = "\(Self.shortened(target))" }
        for (key, value) in record.notes {
            fields[key] = "\(Self.shortened(value))"
        }
        if let message = record.status?.message, !message.isEmpty {
            fields["detail"] = "\(Self.shortened(message))"
        } else if record.wasBroken {
            fields["detail"] =
                record.wasCarriedOut
                ? "done, but the client or its connection broke it off before the answer"
                : "the client or its connection broke it off; it may have been done in part"
        }
        // A status says what a client heard, not what became of its request.
        if record.wasCarriedOut, record.status?.code != .ok { fields[AuditKey.carriedOut] = "true" }
        logger.info("rpc", metadata: fields)
    }

    /// At most so many bytes and an ellipsis. One character may be of any number of scalars, so
    /// it is these that are counted.
    static func shortened(_ text: String) -> String {
        guard text.utf8.count > longestText else { return text }
        var size = 0
        let kept = text.unicodeScalars.prefix {
            size += UTF8.width($0)
            return size <= longestText
        }
        return String(kept) + "…"
    }
}
