import FoundationEssentials
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
    /// How many entries of lists are left out.
    static let omitted = "omitted"
}

/// Writes a record of each RPC, also of those that were refused or broke off. Its fields hold all
/// that a record of gNSI acctz needs.
public struct AuditLog: Sendable {
    private let logger: Logger

    /// What a client says of itself may be long; in bytes.
    static let longestText = 256
    /// Bytes of all lists of a record together, so that the journal takes it as one datagram.
    static let maxListBytes = 64 << 10

    /// RFC 3339, in UTC.
    private static let timeFormat = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    public init(_ logger: Logger) { self.logger = logger }

    public func write(_ record: CallRecord) {
        let elapsed = (ContinuousClock.now - record.started).components
        let milliseconds = Double(elapsed.seconds) * 1000 + Double(elapsed.attoseconds) / 1e15
        var fields: Logger.Metadata = [
            "service": "\(Self.shortened(record.method.service.fullyQualifiedService))",
            "method": "\(Self.shortened(record.method.method))",
            "peer": "\(record.remotePeer)", "local": "\(record.localPeer)",
            "tls": .stringConvertible(record.peer.isSecure),
            "status": "\(record.code)",
            "bytes_received": .stringConvertible(record.received.bytes),
            "bytes_sent": .stringConvertible(record.sent.bytes),
            "messages_received": .stringConvertible(record.received.messages),
            "messages_sent": .stringConvertible(record.sent.messages),
            "duration_ms": .stringConvertible((milliseconds * 1000).rounded() / 1000),
            // A method that is not served gets no further than this.
            AuditKey.decision: "none",
            "time": "\(Date.now.formatted(Self.timeFormat))",
        ]
        if let target = record.target { fields["target"] = "\(Self.shortened(target))" }
        fields.merge(Self.fields(record.notes)) { $1 }
        if let message = record.status?.message, !message.isEmpty {
            fields["detail"] = "\(Self.shortened(message))"
        } else if record.wasBroken {
            fields["detail"] =
                record.wasCarriedOut
                ? "done, but the client or its connection broke it off before the answer"
                : "the client or its connection broke it off; it may have been done in part"
        }
        // A status says what a client heard, not what became of its request.
        if record.wasCarriedOut, record.status?.code != .ok {
            fields[AuditKey.carriedOut] = .stringConvertible(true)
        }
        logger.info("rpc", metadata: fields)
    }

    /// What handlers noted, within bounds; what does not fit is counted in ``AuditKey/omitted``.
    static func fields(_ notes: [String: CallRecord.Note]) -> Logger.Metadata {
        var fields: Logger.Metadata = [:]
        var room = maxListBytes
        var omitted = 0
        for (key, note) in notes.sorted(by: { $0.key < $1.key }) {
            switch note {
            case .text(let text): fields[key] = "\(shortened(text))"
            case .integer(let value): fields[key] = .stringConvertible(value)
            case .number(let value): fields[key] = .stringConvertible(value)
            case .flag(let value): fields[key] = .stringConvertible(value)
            case .list(let entries):
                var kept: [Logger.MetadataValue] = []
                for entry in entries.lazy.map({ shortened($0, to: longestEntry) }) {
                    room -= entry.utf8.count
                    guard room >= 0 else { break }
                    kept.append(.string(entry))
                }
                omitted += entries.count - kept.count
                if !kept.isEmpty { fields[key] = .array(kept) }
            }
        }
        if omitted > 0 { fields[AuditKey.omitted] = .stringConvertible(omitted) }
        return fields
    }

    /// Bytes of an entry of a list: a path may be long, and its end matters.
    static let longestEntry = 1024

    /// At most so many bytes and an ellipsis. One character may be of any number of scalars, so
    /// it is these that are counted.
    static func shortened(_ text: String, to limit: Int = longestText) -> String {
        guard text.utf8.count > limit else { return text }
        var size = 0
        let kept = text.unicodeScalars.prefix {
            size += UTF8.width($0)
            return size <= limit
        }
        return String(kept) + "…"
    }
}
