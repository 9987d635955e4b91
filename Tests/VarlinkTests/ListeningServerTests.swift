import Glibc
import Synchronization
import SystemIO
import Testing

@testable import Varlink

@Suite(.timeLimit(.minutes(1))) struct ListeningServerTests {
    @EventLoop
    private func withListeningServer(
        _ log: EventLog = EventLog(),
        report: @escaping @Sendable (any Error) -> Void = { _ in },
        _ body: @EventLoop (SocketAddress, Server, Task<Void, any Error>) async throws -> Void
    ) async throws {
        let path = "/tmp/containerz-varlink-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
        let address = SocketAddress.unix(path: path)
        let listener = try await Listener.bind(to: address)
        let server = Server(
            ServiceInformation(vendor: "v", product: "p", version: "1", url: "u"),
            serving: [Echo.service(log)], report: report)
        let serving = Task { try await server.serve(on: [listener]) }
        defer { serving.cancel() }
        try await body(address, server, serving)
    }

    @Test func manyClientsAreServedAtOnce() async throws {
        try await withListeningServer { address, _, _ in
            let clients = (0..<100).map { number in
                Task {
                    let connection = try await Connection.connect(to: address)
                    let text = "client \(number)"
                    let reply = try await connection.call(Echo.Say.self, Echo.Text(text: text))
                    #expect(reply.text == text)
                    connection.close()
                }
            }
            for client in clients { try await client.value }
        }
    }

    @Test func connectionsBeyondTheLimitAreClosed() async throws {
        let reports = Mutex(0)
        @Sendable func count(_ failure: any Error) {
            if failure is Server.TooManyConnections { reports.withLock { $0 += 1 } }
        }
        try await withListeningServer(report: count) { address, _, _ in
            var connections: [Connection] = []
            for _ in 0..<Server.maximumConnections {
                let connection = try await Connection.connect(to: address)
                _ = try await connection.call(Echo.Say.self, Echo.Text(text: "in"))
                connections.append(connection)
            }
            for _ in 0..<3 {
                let oneTooMany = try await Connection.connect(to: address)
                await #expect(throws: ConnectionError.self) {
                    try await oneTooMany.call(Echo.Say.self, Echo.Text(text: "out"))
                }
            }
            #expect(reports.withLock(\.self) == 1)
            connections.popLast()?.close()
            var served = false
            let deadline = ContinuousClock.now + .seconds(10)
            while !served, ContinuousClock.now < deadline {
                let next = try await Connection.connect(to: address)
                served = (try? await next.call(Echo.Say.self, Echo.Text(text: "in"))) != nil
                next.close()
            }
            #expect(served)
            for connection in connections { connection.close() }
        }
    }

    @Test func aGracefulShutdownLetsCallsEndAndIdleConnectionsGo() async throws {
        let log = EventLog()
        try await withListeningServer(log) { address, server, serving in
            let idle = try await Connection.connect(to: address)
            _ = try await idle.call(Echo.Say.self, Echo.Text(text: "1"))
            let busy = try await Connection.connect(to: address)
            let call = Task { try await busy.call(Echo.Forever.self, Nothing()) }
            _ = await log.events(atLeast: 2)
            server.beginGracefulShutdown()
            await #expect(throws: ConnectionError.self) {
                try await idle.call(Echo.Say.self, Echo.Text(text: "2"))
            }
            await #expect(throws: ConnectionError.self) {
                try await Connection.connect(to: address)
            }
            #expect(await log.events == ["1", "begun"])
            call.cancel()
            _ = try? await call.value
            try await serving.value
        }
    }

    @Test func cancellingTheServerCancelsItsCalls() async throws {
        let log = EventLog()
        try await withListeningServer(log) { address, _, serving in
            let connection = try await Connection.connect(to: address)
            let call = Task { try await connection.call(Echo.Forever.self, Nothing()) }
            _ = await log.events(atLeast: 1)
            serving.cancel()
            await #expect(throws: ConnectionError.self) { try await call.value }
            #expect(await log.events(atLeast: 2) == ["begun", "cancelled"])
        }
    }
}
