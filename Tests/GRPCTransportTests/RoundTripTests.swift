import GRPCCore
import GRPCTransport
import Synchronization
import SystemIO
import Testing

@Suite(.timeLimit(.minutes(1))) struct RoundTripTests {
    @Test func messagesOfEverySizeComeBack() async throws {
        let messages = [0, 1, 5, 16_384, 65_536, 1 << 20, 4 << 20].map {
            [UInt8](repeating: UInt8($0 % 251), count: $0)
        }
        let echoed = try await withEcho { client, _, _ in
            try await client.collect("Echo", messages).messages
        }
        #expect(echoed == messages)
    }

    @Test func metadataTravelsBothWays() async throws {
        let sent: Metadata = ["text": "v a l", "data-bin": .binary([0, 255, 7])]
        let (head, _, trailers) = try await withEcho { client, _, _ in
            try await client.collect("Echo", metadata: sent)
        }
        #expect(Array(head[stringValues: "text"]) == ["v a l"])
        #expect(Array(head[binaryValues: "data-bin"]) == [[0, 255, 7]])
        #expect(Array(trailers[stringValues: "end"]) == ["yes"])
        #expect(Array(trailers[binaryValues: "bytes-bin"]) == [[0, 1, 255]])
    }

    @Test func anErrorArrivesWithItsWordsAndMetadata() async throws {
        let error = await #expect(throws: RPCError.self) {
            try await withEcho { client, _, _ in _ = try await client.collect("Fail") }
        }
        #expect(error?.code == .failedPrecondition)
        #expect(error?.message == "a ü % and\na line")
        #expect(error.map { Array($0.metadata[stringValues: "why"]) } == ["test"])
    }

    @Test func anUnknownMethodIsUnimplemented() async throws {
        let error = await #expect(throws: RPCError.self) {
            try await withEcho { client, _, _ in _ = try await client.collect("Nothing") }
        }
        #expect(error?.code == .unimplemented)
    }

    @Test func aMessageOverTheLimitIsResourceExhausted() async throws {
        let error = await #expect(throws: RPCError.self) {
            try await withEcho { client, _, _ in
                _ = try await client.collect(
                    "Echo", [[UInt8](repeating: 0, count: (4 << 20) + 1)])
            }
        }
        #expect(error?.code == .resourceExhausted)
    }

    @Test func headersOverTheLimitAreResourceExhausted() async throws {
        let error = await #expect(throws: RPCError.self) {
            try await withEcho { client, _, _ in
                let long = String(repeating: "a", count: 17 << 10)
                _ = try await client.collect("Echo", metadata: ["long": "\(long)"])
            }
        }
        #expect(error?.code == .resourceExhausted)
    }

    @Test func manyRPCsShareAConnection() async throws {
        try await withEcho { client, _, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let message = [UInt8](repeating: UInt8(number % 256), count: number)
                        let echoed = try await client.collect("Echo", [message]).messages
                        #expect(echoed == [message])
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("Draining at each moment of connecting ends the client", arguments: 0..<16)
    func aClientDrainsWhileItConnects(turns: Int) async throws {
        try await withEcho { _, _, address in
            let transport = try await HTTP2ClientTransport(target: address)
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await transport.connect() }
                group.addTask {
                    try await transport.withStream(descriptor: .test("Echo"), options: .defaults) {
                        _, _ in
                    }
                }
                group.addTask {
                    await EventLoop.task {
                        for _ in 0..<turns { await Task.yield() }
                        transport.beginGracefulShutdown()
                    }.value
                }
                // Whether the RPC came through is a matter of the moment; that all end is not.
                while await group.nextResult() != nil {}
            }
        }
    }

    @Test func aUnixSocketCarriesRPCs() async throws {
        let address = SocketAddress.unix(path: "@containerz-test-\(UInt64.random(in: 0 ... .max))")
        let echoed = try await withEcho(address: address) { client, _, _ in
            try await client.collect("Echo", [[1, 2, 3]]).messages
        }
        #expect(echoed == [[1, 2, 3]])
    }

    @Test func aDeadlineEndsTheRPCOnBothSides() async throws {
        let (names, seen) = AsyncStream.makeStream(of: String.self)
        var options = CallOptions.defaults
        // Long enough for the RPC to have reached its handler on a busy machine.
        options.timeout = .seconds(5)
        try await withEcho(service: EchoService { seen.yield($0) }) { [options] client, _, _ in
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.collect("Wait", options: options)
            }
            #expect(error?.code == .deadlineExceeded)
            #expect(await names.first { _ in true } == "Wait")
        }
    }

    @Test func aServerKeepsTheDeadlineOfAClientThatDoesNot() async throws {
        try await withEcho { client, _, _ in
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.collect("Wait", metadata: ["grpc-timeout": "50m"])
            }
            #expect(error?.code == .deadlineExceeded)
        }
    }

    @Test(arguments: ["-5S", "5", "123456789n", "5x", "", "5 S"])
    func aTimeoutThatIsNoneIsRefused(timeout: String) async throws {
        try await withEcho { client, _, _ in
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.collect("Echo", metadata: ["grpc-timeout": "\(timeout)"])
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test(arguments: ["Wait", "Flood"])
    func aClientThatLeavesCancelsTheHandler(method: String) async throws {
        let (names, seen) = AsyncStream.makeStream(of: String.self)
        try await withEcho(service: EchoService { seen.yield($0) }) { client, _, _ in
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            let call = Task {
                try await client.bidirectionalStreaming(
                    request: StreamingClientRequest { _ in }, descriptor: .test(method),
                    serializer: Plain(), deserializer: Plain(), options: .defaults
                ) { response in
                    for try await _ in response.messages {
                        start.yield()
                        // Reads no more, so that the handler cannot come to its end.
                        try await EventLoop.sleep(for: .seconds(60))
                    }
                }
            }
            await started.first { true }
            call.cancel()
            #expect(await names.first { _ in true } == method)
        }
    }

    @Test func aReaderThatRestsHoldsTheWriterUp() async throws {
        let written = Mutex(0)
        try await withEcho { client, _, _ in
            try await client.bidirectionalStreaming(
                request: StreamingClientRequest { writer in
                    // Never reads what comes back, so that the whole path fills up.
                    for _ in 0..<1000 {
                        try await writer.write([UInt8](repeating: 1, count: 64 << 10))
                        written.withLock { $0 += 1 }
                    }
                }, descriptor: .test("Echo"), serializer: Plain(), deserializer: Plain(),
                options: .defaults
            ) { response in
                var last = -1
                // Settles when the windows in both directions are full.
                while last != written.withLock({ $0 }) {
                    last = written.withLock { $0 }
                    try await EventLoop.sleep(for: .milliseconds(100))
                }
                #expect(last < 200)
            }
        }
    }

    @Test func aServerThatDrainsLetsRPCsFinish() async throws {
        let echoed = try await withEcho { client, server, _ in
            try await client.bidirectionalStreaming(
                request: StreamingClientRequest { writer in
                    try await writer.write([1])
                    server.beginGracefulShutdown()
                    try await EventLoop.sleep(for: .milliseconds(30))
                    try await writer.write([2])
                }, descriptor: .test("Echo"), serializer: Plain(), deserializer: Plain(),
                options: .defaults
            ) { response in
                var messages: [[UInt8]] = []
                for try await message in response.messages { messages.append(message) }
                return messages
            }
        }
        #expect(echoed == [[1], [2]])
    }

    @Test func drainingHasABound() async throws {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.drainTimeout = .milliseconds(50)
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(server: configuration) { client, server, _ in
                async let answer = client.collect("Ignore")
                try await EventLoop.sleep(for: .milliseconds(20))
                server.beginGracefulShutdown()
                _ = try await answer
            }
        }
        #expect(error?.code == .unavailable)
    }

    @Test func nobodyListeningIsUnavailable() async throws {
        let transport = try await HTTP2ClientTransport(target: .unix(path: "/nonexistent/socket"))
        let error = await #expect(throws: RPCError.self) {
            try await withGRPCClient(transport: transport) { client in
                _ = try await client.collect("Echo")
            }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("No such file") == true)
    }
}
