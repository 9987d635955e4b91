import GRPCCore
import Logging
import Synchronization
import Testing

@testable import AccessControl
@testable import GRPCTransport

@Suite("Audit records") struct AuditLogTests {
    /// What a record of an RPC says, after something happened to it.
    private func fields(_ change: (CallRecord) -> Void) -> [String: String] {
        let written = Mutex<Logger.Metadata>([:])
        let record = CallRecord(
            MethodDescriptor(fullyQualifiedService: "s", method: "M"), PeerIdentity(isSecure: true),
            remotePeer: "ipv4:192.0.2.1:5", localPeer: "ipv4:192.0.2.2:9339")
        change(record)
        let taker = Taker { metadata in written.withLock { $0 = metadata } }
        AuditLog(Logger(label: "audit") { _ in taker }).write(record)
        return written.withLock { $0.mapValues { "\($0)" } }
    }

    @Test("What was done is not called cancelled alone")
    func doneAndBroken() {
        let done = fields {
            $0.carryOut()
            $0.broke()
        }
        #expect(done["status"] == "cancelled")
        #expect(done["carried_out"] == "true")
        #expect(done["detail"]?.hasPrefix("done, but") == true)
        let late = fields {
            $0.end(Status(code: .deadlineExceeded, message: "the deadline passed"))
            $0.carryOut()
        }
        #expect(late["status"] == "deadlineExceeded")
        #expect(late["carried_out"] == "true")
    }

    @Test(
        "What clients say is bounded in bytes, whatever it is made of",
        arguments: ["a", "é", "𝄞", "\u{301}"])
    func longText(_ scalar: String) {
        #expect(AuditLog.shortened(String(repeating: scalar, count: 10)).hasSuffix("…") == false)
        let text = "e" + String(repeating: scalar, count: 10_000)
        let kept = AuditLog.shortened(text).utf8.count - "…".utf8.count
        #expect((AuditLog.longestText - 3...AuditLog.longestText).contains(kept))
    }

    @Test("What ended in the ordinary way has nothing to explain")
    func ordinary() {
        let fine = fields {
            $0.carryOut()
            $0.end(Status(code: .ok, message: ""))
        }
        #expect(fine["status"] == "ok" && fine["carried_out"] == nil && fine["detail"] == nil)
        let broken = fields { $0.broke() }
        #expect(broken["status"] == "cancelled" && broken["carried_out"] == nil)
        #expect(broken["detail"]?.contains("may have been done in part") == true)
    }
}

private struct Taker: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    let take: @Sendable (Logger.Metadata) -> Void

    init(_ take: @escaping @Sendable (Logger.Metadata) -> Void) { self.take = take }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { take(event.metadata ?? [:]) }
}
