import GRPCCore
import Synchronization

/// Bytes as they are; the clients need no .proto file.
struct Plain: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes {
        Bytes(message)
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

/// What the transport is tried with by clients that others wrote.
final class EchoService: RegistrableRPCService {
    private typealias Request = StreamingServerRequest<[UInt8]>
    private typealias Response = StreamingServerResponse<[UInt8]>

    /// Handlers that run, and those that saw their RPC cancelled so far.
    private let counts = Mutex((active: 0, cancelled: 0))

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        func register(
            _ name: String,
            _ handler: @escaping @Sendable (Request, ServerContext) async throws -> Response
        ) {
            router.registerHandler(
                forMethod: MethodDescriptor(
                    fullyQualifiedService: "interop.Echo", method: name),
                deserializer: Plain(), serializer: Plain(), handler: handler)
        }
        // Every message back, the request's metadata first, and some more last.
        register("Echo") { request, context in
            self.response(context, metadata: request.metadata) { writer in
                for try await message in request.messages { try await writer.write(message) }
                return ["end": "yes", "end-bin": .binary([0, 1, 0xFF])]
            }
        }
        // Reads everything, then answers with the count of bytes.
        register("Count") { request, context in
            self.response(context) { writer in
                var count = 0
                for try await message in request.messages { count += message.count }
                try await writer.write(Array(String(count).utf8))
                return [:]
            }
        }
        // Reads nothing at all.
        register("Hold") { _, context in
            self.response(context) { _ in
                try await context.cancellation.cancelled
                return [:]
            }
        }
        // Answers once, then waits.
        register("Wait") { _, context in
            self.response(context) { writer in
                try await writer.write([1])
                try await context.cancellation.cancelled
                return [:]
            }
        }
        // Never stops sending.
        register("Flood") { _, context in
            self.response(context) { writer in
                let piece = [UInt8](repeating: 7, count: 64 << 10)
                while !context.cancellation.isCancelled { try await writer.write(piece) }
                return [:]
            }
        }
        // Fails before any answer, or with the first message "late" after one.
        register("Fail") { request, context in
            let error = RPCError(
                code: .failedPrecondition, message: "50% of ü\nfailed", metadata: ["why": "test"])
            var messages = request.messages.makeAsyncIterator()
            guard try await messages.next() == Array("late".utf8) else { throw error }
            return self.response(context) { writer in
                try await writer.write([1])
                throw error
            }
        }
        // How many handlers run besides this one, and how many were cancelled.
        register("Counts") { _, _ in
            let text = self.counts.withLock { "\($0.active) \($0.cancelled)" }
            return StreamingServerResponse { writer in
                try await writer.write(Array(text.utf8))
                return [:]
            }
        }
    }

    private func response(
        _ context: ServerContext, metadata: Metadata = [:],
        _ produce: @escaping @Sendable (RPCWriter<[UInt8]>) async throws -> Metadata
    ) -> Response {
        Response(metadata: metadata) { writer in
            self.counts.withLock { $0.active += 1 }
            defer {
                self.counts.withLock {
                    $0.active -= 1
                    if context.cancellation.isCancelled { $0.cancelled += 1 }
                }
            }
            return try await produce(writer)
        }
    }
}
