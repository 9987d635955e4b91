import FoundationEssentials
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

    @Test("boundsListsAndCountsWhatIsLeftOut")
    func longLists() {
        let entry = String(repeating: "x", count: 2000)
        let fields = AuditLog.fields([
            "binds": .list(Array(repeating: entry, count: 100)), "devices": .list(["/dev/null"]),
            "empty": .list([]), "cpus": .number(0.5), "memory": .integer(7), "async": .flag(true),
        ])
        guard case .array(let binds)? = fields["binds"] else {
            Issue.record("there is no list")
            return
        }
        #expect(binds.count < 100 && !binds.isEmpty)
        #expect(binds.allSatisfy { $0.description.utf8.count <= AuditLog.longestEntry + 3 })
        // Nothing that is left out goes unsaid.
        #expect(fields["omitted"]?.description == "\(100 - binds.count + 1)")
        #expect(fields["empty"] == nil)
        #expect(fields["cpus"]?.description == "0.5" && fields["memory"]?.description == "7")
        #expect(fields["async"]?.description == "true")
    }

    @Test("saysWhenItWasWritten")
    func time() throws {
        let time = try #require(fields { $0.carryOut() }["time"])
        let date = try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(time)
        #expect(abs(date.timeIntervalSinceNow) < 60)
    }

    @Test("permitsNothingWhileNobodyDecides")
    func permissions() {
        let method = MethodDescriptor(fullyQualifiedService: "s", method: "Other")
        _ = fields { record in
            #expect(!record.permits(method))
            record.decidePermissions { $0.method == "Other" }
            #expect(record.permits(method))
            #expect(!record.permits(MethodDescriptor(fullyQualifiedService: "s", method: "M")))
        }
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
