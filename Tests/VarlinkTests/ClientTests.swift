import FoundationEssentials
import JSON
import SystemIO
import Testing

@testable import Varlink

@Suite(.timeLimit(.minutes(1))) struct ClientTests {
    private static let address = SocketAddress.unix(path: "/test")

    @EventLoop
    private func withClient(
        _ log: EventLog = EventLog(), _ body: @EventLoop (Connection) async throws -> Void
    ) async throws {
        try await withEchoServer(log) { socket in
            let connection = try Connection(socket, to: Self.address)
            defer { connection.close() }
            try await body(connection)
        }
    }

    @Test func callsOneAfterTheOther() async throws {
        try await withClient { connection in
            for text in ["a", String(repeating: "long", count: 500_000), ""] {
                let reply = try await connection.call(Echo.Say.self, Echo.Text(text: text))
                #expect(reply.text == text)
            }
        }
    }

    @Test func declaredErrorsArriveAsSuchAndTheConnectionStays() async throws {
        try await withClient { connection in
            await #expect(throws: Echo.Failure.refused("not that")) {
                try await connection.call(Echo.Say.self, Echo.Text(text: "no"))
            }
            #expect(connection.isUsable)
            await #expect(throws: ServiceError.expectedMore) {
                try await connection.call(Echo.Count.self, .init(to: 2))
            }
            let reply = try await connection.call(Echo.Say.self, Echo.Text(text: "y"))
            #expect(reply.text == "y")
        }
    }

    @Test func aMethodKnownByItsNameMayReplySeveralTimes() async throws {
        try await withClient { connection in
            var replies: [JSONValue] = []
            try await connection.call(
                Echo.Count.name, .object(["to": .int(1000)]), more: true
            ) { reply in
                guard case .reply(let parameters, _) = reply else { return }
                replies.append(parameters)
            }
            #expect(replies == (1...1000).map { .object(["number": .int($0)]) })
            #expect(connection.isUsable)
        }
    }

    @Test func aCallForPartsHandsOverEachReplyInOrder() async throws {
        try await withClient { connection in
            var numbers: [Int] = []
            try await connection.callForParts(Echo.Count.self, .init(to: 5)) {
                numbers.append($0.number)
            }
            #expect(numbers == [1, 2, 3, 4, 5])
            #expect(connection.isUsable)
            await #expect(throws: Echo.Failure.refused("not that")) {
                try await connection.callForParts(Echo.Say.self, Echo.Text(text: "no")) { _ in }
            }
            #expect(connection.isUsable)
            await #expect(throws: CancellationError.self) {
                try await connection.callForParts(Echo.Count.self, .init(to: 5)) { _ in
                    throw CancellationError()
                }
            }
            #expect(!connection.isUsable)
        }
    }

    @Test func aDescriptorOfAnotherKindIsRefused() async throws {
        try await withClient { connection in
            let pair = try StreamSocket.pair()
            let pipe = try Descriptor.pipe()
            for number in [pair.first.number, pipe.write.number] {
                await #expect(throws: Echo.Failure.self) {
                    try await connection.call(
                        Echo.Read.self, .init(source: 0),
                        passing: PassedDescriptors(try Descriptor.duplicate(of: number)))
                }
            }
        }
    }

    @Test func cancellingACallClosesTheConnectionAndCancelsTheHandler() async throws {
        let log = EventLog()
        try await withClient(log) { connection in
            let call = Task { try await connection.call(Echo.Forever.self, Nothing()) }
            _ = await log.events(atLeast: 1)
            call.cancel()
            await #expect(throws: CancellationError.self) { try await call.value }
            #expect(!connection.isUsable)
            #expect(await log.events(atLeast: 2) == ["begun", "cancelled"])
        }
    }

    @Test func descriptorsGoWithTheCallThatTakesThem() async throws {
        try await withClient { connection in
            for text in ["first", "second"] {
                let pipe = try Descriptor.pipe()
                try Array(text.utf8).withUnsafeBytes { try pipe.write.writeAll($0) }
                let reply = try await connection.call(
                    Echo.Read.self, .init(source: 0),
                    passing: PassedDescriptors(try Descriptor.duplicate(of: pipe.read.number)))
                #expect(reply.text == text)
            }
        }
    }

    @Test func descriptorsNobodyExpectsAreClosed() async throws {
        try await withEchoServer { socket in
            let client = RawClient(socket)
            let pipe = try Descriptor.pipe()
            let reader = pipe.read
            let writer = pipe.write
            try await client.write(
                #"{"method":"org.containerz.test.Echo.Say","parameters":{"text":"x"}}"# + "\0",
                descriptors: [writer.number])
            writer.close()
            // With no writer left anywhere the pipe is at its end.
            try await Watch.once(reader.number, for: .readable)
            var byte: UInt8 = 0
            #expect(try withUnsafeMutableBytes(of: &byte) { try reader.read(into: $0) } == 0)
        }
    }

    @Test func aMissingServerIsNamedInTheError() async throws {
        let address = SocketAddress.unix(path: "/nonexistent/runtime.sock")
        let error = await #expect(throws: ConnectionError.self) {
            try await Connection.connect(to: address)
        }
        #expect(
            error.map { "\($0)" }
                == "cannot reach unix:/nonexistent/runtime.sock: No such file or directory")
    }

    @Test func aServerThatDiesDuringTheCallIsAnError() async throws {
        try await { @EventLoop in
            let pair = try StreamSocket.pair()
            let server = RawClient(pair.first)
            let connection = try Connection(pair.second, to: Self.address)
            let call = Task { try await connection.call(Echo.Say.self, Echo.Text(text: "x")) }
            try await Watch.once(server.number, for: .readable)
            server.close()
            let error = await #expect(throws: ConnectionError.self) { try await call.value }
            #expect(error.map { "\($0)" }?.hasPrefix("unix:/test: the service went away") == true)
            #expect(!connection.isUsable)
        }()
    }

    @Test(arguments: [
        "garbage\0", "{\"parameters\":{\"text\":1}}\0", "{\"error\":\"org.example.Odd\"}\0",
        "{\"parameters\":{\"text\":\"cut",
    ])
    func aServerThatTalksNonsenseIsAnError(bytes: String) async throws {
        try await { @EventLoop in
            let pair = try StreamSocket.pair()
            let server = RawClient(pair.first)
            let connection = try Connection(pair.second, to: Self.address)
            try await server.write(bytes)
            server.endWriting()
            await #expect(throws: ConnectionError.self) {
                try await connection.call(Echo.Say.self, Echo.Text(text: "x"))
            }
            #expect(!connection.isUsable)
        }()
    }
}
