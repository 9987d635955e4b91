import GRPCCore
import GRPCHealth
import GRPCTransport
import SwiftProtobuf
import SystemIO

/// The service `grpc.health.v1.Health`
/// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
///
/// As many may watch as the transport admits streams: each costs a stream and a few words, and
/// all of them together one question at a time.
public struct HealthService: Grpc_Health_V1_Health.SimpleServiceProtocol {
    private let monitor: HealthMonitor

    public init(_ monitor: HealthMonitor) {
        self.monitor = monitor
    }

    public func check(
        request: Grpc_Health_V1_HealthCheckRequest, context: ServerContext
    ) async throws -> Grpc_Health_V1_HealthCheckResponse {
        guard let status = await monitor.status(of: request.service) else {
            throw RPCError(code: .notFound, message: "there is no service \(request.service)")
        }
        return .with { $0.status = status }
    }

    public func list(
        request: Grpc_Health_V1_HealthListRequest, context: ServerContext
    ) async throws -> Grpc_Health_V1_HealthListResponse {
        let statuses = await monitor.statuses()
        return .with {
            $0.statuses = statuses.mapValues { status in .with { $0.status = status } }
        }
    }

    public func watch(
        request: Grpc_Health_V1_HealthCheckRequest,
        response: RPCWriter<Grpc_Health_V1_HealthCheckResponse>, context: ServerContext
    ) async throws {
        let service = request.service
        let watching = EventLoop.task {
            try await monitor.watch(service) { status in
                try await response.write(.with { $0.status = status })
            }
        }
        do {
            try await watching.valueWithinRPC
        } catch is HealthMonitor.Draining {
            throw RPCError(code: .unavailable, message: "the server is stopping")
        }
    }
}
