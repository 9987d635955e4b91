import GRPCCore
import GRPCTransport
import SystemIO

/// Bytes as they are.
struct Plain: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
        Bytes(message)
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

extension MethodDescriptor {
    static func test(_ method: String) -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: "test.Echo", method: method)
    }
}

/// A service for the transport's tests, without protobuf.
struct EchoService: RegistrableRPCService {
    /// Told when a handler saw its RPC cancelled.
    var onCancel: @Sendable (String) -> Void = { _ in }
    /// Told who called.
    var onPeer: @Sendable (PeerIdentity?) -> Void = { _ in }
    /// Told of each handler that begins, 1, or ends, -1, without looking at its RPC.
    var onStubborn: @Sendable (Int) -> Void = { _ in }
    /// What "Fail" says.
    var failure = "a ü % and\na line"
    var trailer = "test"

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        let onCancel = self.onCancel
        func register(
            _ name: String,
            _ handler:
                @escaping @Sendable (StreamingServerRequest<[UInt8]>, ServerContext) async throws ->
                StreamingServerResponse<[UInt8]>
        ) {
            router.registerHandler(
                forMethod: .test(name), deserializer: Plain(), serializer: Plain(),
                handler: handler)
        }
        let onPeer = self.onPeer
        register("Echo") { request, context in
            onPeer((context.transportSpecific as? CallRecord)?.peer)
            return StreamingServerResponse(metadata: request.metadata) { writer in
                for try await message in request.messages { try await writer.write(message) }
                return ["end": "yes", "bytes-bin": .binary([0, 1, 255])]
            }
        }
        let (failure, trailer) = (self.failure, self.trailer)
        register("Fail") { _, _ in
            throw RPCError(
                code: .failedPrecondition, message: failure, metadata: ["why": "\(trailer)"])
        }
        let onStubborn = self.onStubborn
        register("Stubborn") { _, _ in
            onStubborn(1)
            // A task of its own is not cancelled with the RPC.
            await Task { try? await EventLoop.sleep(for: .seconds(1)) }.value
            onStubborn(-1)
            return StreamingServerResponse { _ in [:] }
        }
        register("Wait") { _, context in
            StreamingServerResponse { writer in
                try await writer.write([1])
                try await context.cancellation.cancelled
                onCancel("Wait")
                throw RPCError(code: .cancelled, message: "cancelled")
            }
        }
        register("Ignore") { _, context in
            StreamingServerResponse { writer in
                try await context.cancellation.cancelled
                return [:]
            }
        }
        register("Flood") { request, _ in
            StreamingServerResponse { writer in
                let piece = [UInt8](repeating: 7, count: 32 << 10)
                do {
                    for _ in 0..<4096 { try await writer.write(piece) }
                } catch {
                    onCancel("Flood")
                    throw error
                }
                return [:]
            }
        }
    }
}

/// Runs `body` with a client of an echo server on a socket of its own.
@EventLoop
func withEcho<Result: Sendable>(
    address: SocketAddress = .tcp(host: "127.0.0.1", port: 0),
    serverTLS: TLSConfiguration? = nil, clientTLS: TLSConfiguration? = nil,
    server: HTTP2ServerTransport.Configuration = .init(),
    client: HTTP2ClientTransport.Configuration = .init(), service: EchoService = EchoService(),
    _ body:
        @escaping @Sendable (
            GRPCClient<HTTP2ClientTransport>, GRPCServer<HTTP2ServerTransport>, SocketAddress
        ) async throws -> Result
) async throws -> Result {
    let listener = try await Listener.bind(to: address)
    let bound = listener.address
    let serverTransport = try HTTP2ServerTransport(
        [.init(listener, tls: serverTLS)], configuration: server)
    let clientTransport = try HTTP2ClientTransport(
        target: bound, tls: clientTLS, configuration: client)
    return try await withGRPCServer(transport: serverTransport, services: [service]) { server in
        try await withGRPCClient(transport: clientTransport) { client in
            try await body(client, server, bound)
        }
    }
}

extension GRPCClient {
    /// Sends the messages and collects the answers.
    func collect(
        _ method: String, _ messages: [[UInt8]] = [], metadata: Metadata = [:],
        options: CallOptions = .defaults
    ) async throws -> (head: Metadata, messages: [[UInt8]], trailers: Metadata) {
        try await bidirectionalStreaming(
            request: StreamingClientRequest(metadata: metadata) { writer in
                for message in messages { try await writer.write(message) }
            }, descriptor: .test(method), serializer: Plain(), deserializer: Plain(),
            options: options
        ) { response in
            let contents = try response.accepted.get()
            var messages: [[UInt8]] = []
            var trailers: Metadata = [:]
            for try await part in contents.bodyParts {
                switch part {
                case .message(let message): messages.append(message)
                case .trailingMetadata(let metadata): trailers = metadata
                }
            }
            return (contents.metadata, messages, trailers)
        }
    }
}
