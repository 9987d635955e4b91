import GRPCCore
import Synchronization
import SystemIO
import Testing

@testable import GRPCTransport

@Suite(.timeLimit(.minutes(1))) struct HostileTests {
    @Test func aLongErrorIsCutAndArrives() async throws {
        let text = String(repeating: "ü", count: 100_000)
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(service: EchoService(failure: text)) { client, _, _ in
                _ = try await client.collect("Fail")
            }
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message.hasPrefix("üüü") == true)
        #expect(error?.message.hasSuffix("ü…") == true)
    }

    @Test(arguments: [0, 1000, 1365, 1366, 4096, 5000], ["a", "%", "é", "𝄞"])
    func aStatusMessageStaysWithinItsLimit(count: Int, character: String) {
        var headers = HeaderList()
        let text = String(repeating: character, count: count)
        StatusHeaders.append(Status(code: .internalError, message: text), to: &headers)
        let sent = headers["grpc-message"] ?? ""
        #expect(sent.utf8.count <= StatusHeaders.longestMessage)
        let whole = StatusHeaders.percentEncoded(text)
        let fits = whole.utf8.count <= StatusHeaders.longestMessage
        #expect(fits == (sent == whole))
    }

    @Test func trailersThatCannotBeSentEndTheCall() async throws {
        // nghttp2 sends no header list over 64 KiB; the client must not wait for ever.
        let service = EchoService(trailer: String(repeating: "x", count: 100_000))
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(service: service) { client, _, _ in
                _ = try await client.collect("Fail")
            }
        }
        #expect(error?.code == .internalError)
    }

    @Test func valuesWithoutNumberAreRefused() {
        var headers = HeaderList()
        headers.append("x-bin", String(repeating: ",", count: 10_000))
        let error = #expect(throws: RPCError.self) { try MetadataHeaders.metadata(of: headers) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func headersOverTheLimitAreCountedButNotKept() {
        var headers = HeaderList()
        let value = [UInt8](repeating: 1, count: 600)
        value.withUnsafeBufferPointer { value in
            for _ in 0..<10 { headers.append(value, value, limit: 2000) }
        }
        #expect(headers.fields.count == 1)
        #expect(headers.size == 10 * (1200 + 32))
    }

    /// Sends one message, and no more until the server has had enough.
    private func sayOneThing(
        to configuration: HTTP2ServerTransport.Configuration,
        onAnswer: @escaping @Sendable (GRPCServer<HTTP2ServerTransport>) -> Void
    ) async throws {
        try await withEcho(server: configuration) { client, server, _ in
            try await client.bidirectionalStreaming(
                request: StreamingClientRequest { writer in
                    try await writer.write([1])
                    try await EventLoop.sleep(for: .seconds(3600))
                }, descriptor: .test("Echo"), serializer: Plain(), deserializer: Plain(),
                options: .defaults
            ) { response in
                for try await _ in response.messages { onAnswer(server) }
            }
        }
    }

    @Test func aRequestThatStopsComingIsEnded() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.requestTimeout = .milliseconds(100)
        let error = await #expect(throws: RPCError.self) {
            try await sayOneThing(to: configuration) { _ in }
        }
        #expect(error?.code == .deadlineExceeded)
    }

    @Test func whoeverSaysNothingKeepsNoServerFromStopping() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.lastTimeout = .milliseconds(100)
        configuration.drainTimeout = .seconds(3600)
        let error = await #expect(throws: RPCError.self) {
            try await sayOneThing(to: configuration) { $0.beginGracefulShutdown() }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message == "the server is stopping")
    }

    @Test func aHandlerThatDoesNotAskWaitsForNothing() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.requestTimeout = .milliseconds(50)
        try await withEcho(server: configuration) { client, _, _ in
            // It takes a second, and the client says nothing meanwhile.
            _ = try await client.collect("Stubborn")
        }
    }

    @Test func aQueueKnowsWhatItHolds() {
        var queue = InboundQueue()
        for _ in 0..<10 { queue.append(.message(MessageBytes(repeating: 0, count: 1000))) }
        #expect(queue.held >= 10_000)
        _ = queue.next()
        #expect((9000..<11_000).contains(queue.held))
        #expect(queue.wireBytes == 9 * 1005)
        queue.fail(RPCError(code: .cancelled, message: ""))
        #expect(queue.held == 0 && queue.wireBytes == 0)
    }

    @Test func aQueueThatIsNeverEmptyDoesNotGrow() {
        var queue = InboundQueue()
        queue.append(.message(MessageBytes(repeating: 0, count: 1)))
        for number in 0..<10_000 {
            queue.append(.message(MessageBytes(repeating: UInt8(number % 251), count: 1)))
            guard case .part(.message) = queue.next() else { return #expect(Bool(false)) }
        }
        #expect(queue.parts.count < 100)
        guard case .part(.message(let last)) = queue.next() else { return #expect(Bool(false)) }
        #expect(last.withUnsafeBytes { Array($0) } == [UInt8(9999 % 251)])
        #expect(queue.isEmpty)
    }

    @Test func aRequestThatIsCutOffDoesNotLookLikeAnEnd() {
        let error = RPCError(code: .deadlineExceeded, message: "too late")
        var open = InboundQueue()
        open.append(.message(MessageBytes(capacity: 0)))
        open.discard(error)
        guard case .failure(error) = open.next() else { return #expect(Bool(false)) }
        // Its end has come, but what is before it is dropped.
        var ended = InboundQueue()
        ended.append(.message(MessageBytes(capacity: 0)))
        ended.finish()
        ended.discard(error)
        guard case .failure(error) = ended.next() else { return #expect(Bool(false)) }
        var taken = InboundQueue()
        taken.finish()
        taken.discard(error)
        guard case .end = taken.next() else { return #expect(Bool(false)) }
        // Without an error nobody is there to be told.
        var left = InboundQueue()
        left.discard()
        guard case .end = left.next() else { return #expect(Bool(false)) }
    }

    @Test func anEmptyMessageCountsForWhatItTakes() {
        var queue = InboundQueue()
        queue.append(.message(MessageBytes(capacity: 0)))
        #expect(queue.held > 64)
    }

    @Test func aMessageIsCountedWhenItIsPromised() throws {
        let prefix: [UInt8] = [0, 0, 1, 0, 0]
        var deframer = MessageDeframer(limit: 1 << 20)
        try prefix.withUnsafeBytes { try deframer.append($0) { _ in } }
        #expect(deframer.held == 1 << 16)
        #expect(deframer.gathered == 5)
        deframer.abandon()
        #expect(deframer.gathered == 0)
        #expect(deframer.held == 0)
    }

    @Test func handlersThatOutliveTheirStreamsAreBounded() async throws {
        let running = Mutex((now: 0, most: 0))
        let service = EchoService(onStubborn: { change in
            running.withLock {
                $0.now += change
                $0.most = max($0.most, $0.now)
            }
        })
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.maximumConcurrentStreams = 4
        try await withEcho(server: configuration, service: service) { client, _, _ in
            for _ in 0..<40 {
                // Over at once, though its handler takes no notice of that.
                _ = try? await client.collect("Stubborn", metadata: ["grpc-timeout": "1m"])
            }
        }
        #expect(running.withLock { $0.most } == 8)
        #expect(running.withLock { $0.now } == 0)
    }

    @Test func whoTakesNothingIsLetGo() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.stallTimeout = .milliseconds(200)
        try await withEcho(server: configuration) { client, _, _ in
            try await client.bidirectionalStreaming(
                request: StreamingClientRequest { _ in }, descriptor: .test("Flood"),
                serializer: Plain(), deserializer: Plain(), options: .defaults
            ) { response in
                var iterator = response.messages.makeAsyncIterator()
                _ = try await iterator.next()
                // Far longer than the server puts up with, on a busy machine too.
                try await EventLoop.sleep(for: .seconds(3))
                await #expect(throws: RPCError.self) {
                    while try await iterator.next() != nil {}
                }
            }
        }
    }

    @Test func silenceIsNoStall() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.stallTimeout = .milliseconds(100)
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(server: configuration) { client, _, _ in
                _ = try await client.collect("Wait", metadata: ["grpc-timeout": "500m"])
            }
        }
        #expect(error?.code == .deadlineExceeded)
    }
}
