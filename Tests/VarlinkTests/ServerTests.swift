import FoundationEssentials
import Glibc
import JSON
import SystemIO
import Testing

@testable import Varlink

/// The server, from the bytes' point of view: what any client would see.
// Sixteen megabytes byte by byte take a while under a sanitizer.
@Suite(.timeLimit(.minutes(3))) struct ServerTests {
    private static let say = #""method":"org.containerz.test.Echo.Say""#

    /// The replies to raw bytes, until the server has nothing more to say to a half-closed peer;
    /// with their keys in order, which they need not have.
    private func replies(to bytes: String, log: EventLog = EventLog()) async throws -> [String] {
        try await withEchoServer(log) { socket in
            let client = RawClient(socket)
            try await client.write(bytes)
            client.endWriting()
            return try await client.readToEnd().split(separator: "\0")
                .map { try JSONValue(parsing: String($0)).text }
        }
    }

    @Test func aCallGetsItsReply() async throws {
        let replies = try await replies(to: "{\(Self.say),\"parameters\":{\"text\":\"é/\"}}\0")
        #expect(replies == [#"{"parameters":{"text":"é/"}}"#])
    }

    @Test func pipelinedCallsAreAnsweredInOrder() async throws {
        let calls = (1...50).map { "{\(Self.say),\"parameters\":{\"text\":\"\($0)\"}}\0" }
        let replies = try await replies(to: calls.joined())
        #expect(replies == (1...50).map { #"{"parameters":{"text":"\#($0)"}}"# })
    }

    @Test func aOnewayCallIsCarriedOutWithoutAReply() async throws {
        let log = EventLog()
        let replies = try await replies(
            to: "{\(Self.say),\"oneway\":true,\"parameters\":{\"text\":\"no\"}}\0"
                + "{\(Self.say),\"parameters\":{\"text\":\"after\"}}\0", log: log)
        #expect(replies == [#"{"parameters":{"text":"after"}}"#])
        #expect(await log.events == ["no", "after"])
    }

    @Test func aOnewayCallOutlivesItsConnection() async throws {
        let log = EventLog()
        try await withEchoServer(log) { socket in
            let client = RawClient(socket)
            try await client.write(
                "{\(Self.say),\"oneway\":true,\"parameters\":{\"text\":\"x\"}}\0")
            client.close()
            #expect(await log.events(atLeast: 1) == ["x"])
        }
    }

    @Test func theCallerIsKnownWhileACallIsAnsweredAndReported() async throws {
        let ends = AsyncStream.makeStream(of: PeerCredentials?.self)
        try await withEchoServer(onCallEnd: { _ in ends.continuation.yield(Caller.current) }) {
            socket in
            let client = RawClient(socket)
            try await client.write("{\(Self.say),\"parameters\":{\"text\":\"who\"}}\0")
            client.endWriting()
            _ = try await client.readToEnd()
            var caller: PeerCredentials?
            for await end in ends.stream {
                caller = end
                break
            }
            #expect(caller == PeerCredentials(userID: getuid(), processID: getpid()))
        }
        #expect(Caller.current == nil)
    }

    @Test func aLongCallIsAnsweredLikeAnyOther() async throws {
        let text = String(repeating: "x", count: 200_000)
        let replies = try await replies(to: "{\(Self.say),\"parameters\":{\"text\":\"\(text)\"}}\0")
        #expect(replies == ["{\"parameters\":{\"text\":\"\(text)\"}}"])
    }

    @Test func everyCallIsToldOfWhenItIsOver() async throws {
        let (log, ends) = (EventLog(), AsyncStream.makeStream(of: AnsweredCall.self))
        try await withEchoServer(log, onCallEnd: { ends.continuation.yield($0) }) { socket in
            let client = RawClient(socket)
            try await client.write(
                "{\(Self.say),\"parameters\":{\"text\":\"a\"}}\0"
                    + "{\(Self.say),\"oneway\":true,\"parameters\":{\"text\":\"no\"}}\0"
                    + "{\(Self.say)}\0{\"method\":\"org.containerz.test.Echo.MadeUp\"}\0"
                    + "{\"method\":\"org.containerz.test.Echo.Forever\"}\0")
            _ = await log.events(atLeast: 3)
            client.close()
            var calls: [AnsweredCall] = []
            for await call in ends.stream {
                calls.append(call)
                if calls.count == 5 { break }
            }
            #expect(
                calls == [
                    AnsweredCall(method: Echo.Say.name, outcome: .done),
                    AnsweredCall(
                        method: Echo.Say.name, outcome: .failed("\(Echo.interface).Refused"),
                        reason: "refused(\"not that\")"),
                    AnsweredCall(
                        method: Echo.Say.name,
                        outcome: .failed("org.varlink.service.InvalidParameter"),
                        reason: "parameter text is missing or wrong"),
                    AnsweredCall(
                        method: nil, outcome: .failed("org.varlink.service.MethodNotFound"),
                        reason: "there is no method org.containerz.test.Echo.MadeUp"),
                    AnsweredCall(method: Echo.Forever.name, outcome: .brokenOff),
                ])
        }
    }

    @Test func moreYieldsContinuedRepliesAndALastOne() async throws {
        let call = #"{"method":"org.containerz.test.Echo.Count","more":true,"#
        let replies = try await replies(to: call + "\"parameters\":{\"to\":3}}\0")
        #expect(
            replies.map { $0.contains("\"continues\":true") } == [true, true, false])
        #expect(replies.last == #"{"parameters":{"number":3}}"#)
    }

    @Test(arguments: [
        (
            #"{"method":"org.containerz.test.Echo.Count","parameters":{"to":3}}"#,
            #"{"error":"org.varlink.service.ExpectedMore","parameters":{}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Shout"}"#,
            #""error":"org.varlink.service.MethodNotFound""#
        ),
        (
            #"{"method":"org.example.Nobody.Say"}"#,
            #"{"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"org.example.Nobody"}}"#
        ),
        (#"{"method":"Say"}"#, #""error":"org.varlink.service.MethodNotFound""#),
        (
            #"{"method":"org.containerz.test.Echo.Say"}"#,
            #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"text"}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Say","parameters":{"text":5}}"#,
            #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"text"}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Say","parameters":[]}"#,
            #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"parameters"}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Say","upgrade":true}"#,
            #""error":"org.varlink.service.MethodNotImplemented""#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Read","parameters":{"source":0}}"#,
            #"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"source"}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Say","parameters":{"text":"no"}}"#,
            #"{"error":"org.containerz.test.Echo.Refused","parameters":{"why":"not that"}}"#
        ),
        (
            #"{"method":"org.containerz.test.Echo.Say","parameters":{"text":"surprise"}}"#,
            #"{"error":"org.containerz.test.Echo.Refused","parameters":{"why":"open: No such file"#
        ),
    ])
    func errorsAreDeclaredOnesAndTheConnectionGoesOn(call: String, error: String) async throws {
        let replies = try await replies(
            to: call + "\0{\(Self.say),\"parameters\":{\"text\":\"still here\"}}\0")
        #expect(replies.count == 2)
        #expect(replies.first?.contains(error) == true, "\(replies)")
        #expect(replies.last == #"{"parameters":{"text":"still here"}}"#)
    }

    @Test func unknownFieldsAreIgnored() async throws {
        let replies = try await replies(
            to: "{\(Self.say),\"new\":1,\"parameters\":{\"text\":\"a\",\"newer\":null}}\0")
        #expect(replies == [#"{"parameters":{"text":"a"}}"#])
    }

    @Test(arguments: [
        "not JSON\0", "[]\0", "{}\0", "\0", "{\"method\":7}\0",
        "{\"method\":\"a.b.C\",\"more\":true,\"oneway\":true}\0",
        String(repeating: "[", count: 100_000) + "\0", "{\"method\":\"unfinished",
    ])
    func whoeverBreaksTheProtocolIsCutOff(bytes: String) async throws {
        let reports = EventLog()
        let replies = try await withEchoServer(
            reporting: { error in Task { await reports.add("\(error)") } }
        ) { socket in
            let client = RawClient(socket)
            try await client.write(bytes)
            client.endWriting()
            return try await client.readToEnd()
        }
        #expect(replies == "")
        #expect(await reports.events(atLeast: 1).count == 1)
    }

    @Test func aMessageWithoutEndIsCutOffAtTheLimit() async throws {
        try await withEchoServer { socket in
            let client = RawClient(socket)
            let block = String(repeating: "x", count: 1 << 20)
            await #expect(throws: SystemError.self) {
                for _ in 0..<64 { try await client.write(block) }
            }
        }
    }

    @Test func aClientThatDoesNotReadHoldsTheHandlerBack() async throws {
        let log = EventLog()
        try await withEchoServer(log) { socket in
            let client = RawClient(socket)
            let total = 50_000
            try await client.write(
                #"{"method":"org.containerz.test.Echo.Count","more":true,"#
                    + "\"parameters\":{\"to\":\(total)}}\0")
            _ = await log.events(atLeast: 1)
            // The handler got as far as the socket's buffers and no further.
            var count = await log.events.count
            var before = -1
            while count != before {
                before = count
                try await EventLoop.sleep(for: .milliseconds(100))
                count = await log.events.count
            }
            #expect(count < total)
            client.endWriting()
            let replies = try await client.readToEnd().split(separator: "\0")
            #expect(replies.count == total)
        }
    }

    @Test func closingTheConnectionCancelsTheCall() async throws {
        let log = EventLog()
        try await withEchoServer(log) { socket in
            let client = RawClient(socket)
            try await client.write("{\"method\":\"org.containerz.test.Echo.Forever\"}\0")
            #expect(await log.events(atLeast: 1) == ["begun"])
            client.close()
            #expect(await log.events(atLeast: 2) == ["begun", "cancelled"])
        }
    }

    @Test func halfClosingTheConnectionDoesNotCancelTheCall() async throws {
        let log = EventLog()
        try await withEchoServer(log) { socket in
            let client = RawClient(socket)
            try await client.write("{\"method\":\"org.containerz.test.Echo.Forever\"}\0")
            client.endWriting()
            #expect(await log.events(atLeast: 1) == ["begun"])
            try await EventLoop.sleep(for: .milliseconds(20))
            #expect(await log.events == ["begun"])
        }
    }

    @Test func theServiceDescribesItself() async throws {
        let replies = try await replies(
            to: "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}\0"
                + #"{"method":"org.varlink.service.GetInterfaceDescription","#
                + "\"parameters\":{\"interface\":\"org.containerz.test.Echo\"}}\0")
        #expect(replies.first?.contains(#""product":"p""#) == true)
        #expect(
            replies.first?.contains(
                #""interfaces":["org.varlink.service","org.containerz.test.Echo"]"#) == true)
        #expect(replies.last?.contains(#"interface org.containerz.test.Echo\nmethod Say"#) == true)
    }
}

/// The other end of a connection, without any protocol.
@EventLoop
final class RawClient {
    private var socket: StreamSocket?

    init(_ socket: consuming StreamSocket) { self.socket = consume socket }

    var number: CInt { socket?.number ?? -1 }

    func write(_ text: String, descriptors: [CInt] = []) async throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = try bytes.withUnsafeBytes { bytes in
                try socket?.send(
                    UnsafeRawBufferPointer(rebasing: bytes[sent...]),
                    descriptors: sent == 0 ? descriptors : []) ?? nil
            }
            if let count { sent += count } else { try await Watch.once(number, for: .writable) }
        }
    }

    func readToEnd() async throws -> String {
        var received: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try room.withUnsafeMutableBytes { try socket?.read(into: $0) ?? nil }
            if count == 0 { return String(decoding: received, as: UTF8.self) }
            if let count {
                received += room[..<count]
            } else {
                try await Watch.once(number, for: .readable)
            }
        }
    }

    func endWriting() { socket?.shutdownWriting() }
    func close() { socket = nil }
}
