import SystemIO
import Testing

@testable import Varlink

/// A small interface for the tests of client and server.
enum Echo {
    static let interface = "org.containerz.test.Echo"

    static let text = """
        interface org.containerz.test.Echo
        method Say(text: string) -> (text: string)
        # [Requires 'more' flag]
        method Count(to: int) -> (number: int)
        method Forever() -> ()
        method Read(source: int) -> (text: string)
        error Refused (why: string)

        """

    enum Failure: InterfaceError, Hashable {
        case refused(String)

        private enum CodingKeys: CodingKey { case why }
        var errorName: String { "\(Echo.interface).Refused" }

        func encode(to encoder: any Encoder) throws {
            guard case .refused(let why) = self else { return }
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(why, forKey: .why)
        }

        init?(errorName: String, from decoder: any Decoder) throws {
            guard errorName == "\(Echo.interface).Refused" else { return nil }
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            self = .refused(try fields.decode(String.self, forKey: .why))
        }

        static func unexpected(_ error: any Error) -> Failure { .refused("\(error)") }
    }

    struct Text: Codable, Hashable, Sendable { var text: String }

    enum Say: Method {
        typealias Parameters = Text
        typealias Reply = Text
        typealias Failure = Echo.Failure
        static let name = "\(interface).Say"
    }

    enum Count: Method {
        struct Parameters: Codable { var to: Int }
        struct Reply: Codable { var number: Int }
        typealias Failure = Echo.Failure
        static let name = "\(interface).Count"
    }

    enum Forever: Method {
        typealias Parameters = Nothing
        typealias Reply = Nothing
        typealias Failure = Echo.Failure
        static let name = "\(interface).Forever"
    }

    enum Read: Method {
        struct Parameters: Codable { var source: Int }
        typealias Reply = Text
        typealias Failure = Echo.Failure
        static let name = "\(interface).Read"
        static let takesDescriptors = true
    }

    static func service(_ log: EventLog) -> Service {
        var service = Service(interface: interface, description: text)
        service.on(Say.self) { call in
            await log.add(call.parameters.text)
            if call.parameters.text == "no" { throw Failure.refused("not that") }
            if call.parameters.text == "surprise" { throw SystemError("open", code: 2) }
            return call.parameters
        }
        service.on(Count.self) { call in
            for number in 1..<max(call.parameters.to, 1) {
                try await call.reply(Count.Reply(number: number))
                await log.add("\(number)")
            }
            return Count.Reply(number: call.parameters.to)
        }
        service.on(Forever.self) { _ in
            await log.add("begun")
            do {
                try await EventLoop.sleep(for: .seconds(3600))
            } catch {
                await log.add("cancelled")
                throw error
            }
            return Nothing()
        }
        service.on(Read.self) { call in
            let source = try call.takeDescriptor(
                call.parameters.source, parameter: "source", for: .reading)
            var bytes = [UInt8](repeating: 0, count: 64)
            let count = try bytes.withUnsafeMutableBytes { try source.read(into: $0) } ?? 0
            return Text(text: String(decoding: bytes[..<count], as: UTF8.self))
        }
        return service
    }
}

/// What the handlers saw, and a way to wait for it.
actor EventLog {
    private(set) var events: [String] = []
    private var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    func add(_ event: String) {
        events.append(event)
        let due = waiters.filter { $0.count <= events.count }
        waiters.removeAll { $0.count <= events.count }
        for waiter in due { waiter.continuation.resume() }
    }

    /// The events, as soon as there are that many.
    func events(atLeast count: Int) async -> [String] {
        if events.count < count {
            await withCheckedContinuation { waiters.append((count, $0)) }
        }
        return events
    }
}

/// Runs `body` with a connected pair: the echo service at one end, the raw other end.
@EventLoop
func withEchoServer<Result: Sendable>(
    _ log: EventLog = EventLog(),
    onCallEnd: @escaping @Sendable @EventLoop (AnsweredCall) -> Void = { _ in },
    reporting report: @escaping @Sendable (any Error) -> Void = { _ in },
    _ body: @EventLoop (consuming StreamSocket) async throws -> Result
) async throws -> Result {
    let server = Server(
        ServiceInformation(vendor: "v", product: "p", version: "1", url: "u"),
        serving: [Echo.service(log)], onCallEnd: onCallEnd, report: report)
    let pair = try StreamSocket.pair()
    let connection = PassedSocket(pair.first)
    let serving = Task { try await server.serve(connection: try connection.take()) }
    defer { serving.cancel() }
    return try await body(pair.second)
}

/// Carries a socket into a task.
@EventLoop
final class PassedSocket {
    private var socket: StreamSocket?
    init(_ socket: consuming StreamSocket) { self.socket = consume socket }

    func take() throws -> StreamSocket {
        guard let socket = socket.take() else { throw CancellationError() }
        return socket
    }
}
