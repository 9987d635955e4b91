import GRPCCore
import GRPCHealth
import GRPCTransport
import HTTPClient
import SwiftProtobuf
import SystemIO

extension HealthProbe {
    /// How long one answer may take.
    private static let patience: Duration = .seconds(5)
    private static let largestAnswer = 1 << 20

    /// Asks once.
    ///
    /// - Throws: ``HealthProbeError`` when it is not well, or `CancellationError`.
    @EventLoop
    public func check() async throws {
        do {
            switch self {
            case .http(let url): try await Self.get(url)
            case .tcp(let host, let port):
                _ = try await StreamSocket.connect(
                    to: .tcp(host: host, port: port), timeout: Self.patience)
            case .grpc(let host, let port, let service):
                try await Self.ask(.tcp(host: host, port: port), service)
            }
        } catch let error as CancellationError {
            throw error
        } catch let error as RPCError {
            if Task.isCancelled { throw CancellationError() }
            throw HealthProbeError("\(self): \(error.message)")
        } catch {
            throw HealthProbeError("\(self): \(error)")
        }
    }

    @EventLoop
    private static func get(_ url: String) async throws {
        var request = HTTPRequest("GET", url, idleTimeout: patience)
        request.connectTimeout = patience
        // The client lives as long as the answer is read.
        let client = try HTTPClient()
        let response = try await client.send(request)
        response.cancel()
        guard (200..<400).contains(response.status) else {
            throw HealthProbeError("it answers with status \(response.status)")
        }
    }

    @EventLoop
    private static func ask(_ address: SocketAddress, _ service: String) async throws {
        let transport = try HTTP2ClientTransport(target: address)
        var options = CallOptions.defaults
        options.timeout = patience
        let status = try await withGRPCClient(transport: transport) { [options] client in
            try await Grpc_Health_V1_Health.Client(wrapping: client)
                .check(.with { $0.service = service }, options: options).status
        }
        guard status == .serving else { throw HealthProbeError("it is not serving (\(status))") }
    }

    /// Asks again and again until all is well.
    ///
    /// - Parameter timeout: how long that may take.
    /// - Throws: the last ``HealthProbeError``, or `CancellationError`.
    @EventLoop
    public func wait(timeout: Duration) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            do {
                return try await check()
            } catch let error as HealthProbeError {
                guard ContinuousClock.now + Self.pause < deadline else { throw error }
            }
            try await EventLoop.sleep(for: Self.pause)
        }
    }

    /// Between two questions.
    public static let pause: Duration = .milliseconds(500)
}
