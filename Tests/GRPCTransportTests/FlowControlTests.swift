import GRPCCore
import Synchronization
import SystemIO
import Testing

@testable import GRPCTransport

/// Streams of a client that gives the server no window: only DATA may wait for it.
@Suite(.timeLimit(.minutes(1))) struct FlowControlTests {
    private static var noWindow: HTTP2ClientTransport.Configuration {
        var configuration = HTTP2ClientTransport.Configuration()
        configuration.streamWindow = 0
        configuration.widestStreamWindow = 0
        return configuration
    }

    /// No stall timeout ends the stream in place of what is tested.
    private static var patientServer: HTTP2ServerTransport.Configuration {
        var configuration = HTTP2ServerTransport.Configuration()
        configuration.stallTimeout = nil
        return configuration
    }

    @Test func trailersAfterHeadersNeedNoWindow() async throws {
        let answer = try await withEcho(server: Self.patientServer, client: Self.noWindow) {
            client, _, _ in try await client.collect("Echo")
        }
        #expect(answer.messages.isEmpty)
        #expect(answer.trailers[stringValues: "end"].contains("yes"))
    }

    @Test func deadlineStatusNeedsNoWindow() async throws {
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(server: Self.patientServer, client: Self.noWindow) {
                client, _, _ in
                // Its handler sends nothing, and ends when it is cancelled.
                _ = try await client.collect("Ignore", metadata: ["grpc-timeout": "100m"])
            }
        }
        #expect(error?.code == .deadlineExceeded)
    }

    @Test func deadlineResetsStreamWhoseHandlerWaitsForWindow() async throws {
        let cancelled = Mutex<String?>(nil)
        let service = EchoService(onCancel: { method in cancelled.withLock { $0 = method } })
        let error = await #expect(throws: RPCError.self) {
            try await withEcho(
                server: Self.patientServer, client: Self.noWindow, service: service
            ) { client, _, _ in
                _ = try await client.collect("Flood", metadata: ["grpc-timeout": "100m"])
            }
        }
        #expect(error?.code == .cancelled)
        #expect(cancelled.withLock { $0 } == "Flood")
    }

    @Test func deadlineResetsStreamWhoseHandlerHasReturned() async throws {
        var server = Self.patientServer
        server.maximumConcurrentStreams = 1
        try await withEcho(server: server, client: Self.noWindow) { client, _, _ in
            // The message and the trailers are queued when the handler returns.
            let error = await #expect(throws: RPCError.self) {
                _ = try await client.collect("Echo", [[1]], metadata: ["grpc-timeout": "100m"])
            }
            #expect(error?.code == .cancelled)
            // The only stream is free again.
            _ = try await client.collect("Echo")
        }
    }

    @Test func stallTimeoutResetsStreamWhoseHandlerHasReturned() async throws {
        var server = HTTP2ServerTransport.Configuration()
        server.stallTimeout = .milliseconds(100)
        await #expect(throws: RPCError.self) {
            try await withEcho(server: server, client: Self.noWindow) { client, _, _ in
                _ = try await client.collect("Echo", [[1]])
            }
        }
    }
}
