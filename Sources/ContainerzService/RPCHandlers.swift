import GRPCCore
import GRPCProtobuf
import GRPCTransport
import SwiftProtobuf
import SystemIO

/// How RPCs are tied to the loop: a handler runs as a task of its own, which ends when the client
/// cancels, its deadline passes or its connection breaks; what it throws becomes a status.
extension RPCRouter {
    mutating func onUnary<
        Input: SwiftProtobuf.Message & LimitedRequest, Output: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable @EventLoop (Input) async throws -> Output
    ) {
        onUnary(method) { (request: Input, _: CallInProgress) in try await handler(request) }
    }

    /// - Parameter handler: is given the call as well.
    mutating func onUnary<
        Input: SwiftProtobuf.Message & LimitedRequest, Output: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable @EventLoop (Input, CallInProgress) async throws -> Output
    ) {
        register(method, RequestDeserializer<Input>()) { messages, writer, call in
            let request = try await only(messages)
            call.tell(of: request)
            try request.checkLimits()
            let response = try await handler(request, call)
            call.carryOut()
            try await writer.write(response)
        }
    }

    mutating func onServerStreaming<
        Input: SwiftProtobuf.Message & LimitedRequest, Output: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable @EventLoop (Input, RPCWriter<Output>) async throws -> Void
    ) {
        onServerStreaming(method) { (request: Input, writer, _: CallInProgress) in
            try await handler(request, writer)
        }
    }

    /// - Parameter handler: is given the call as well.
    mutating func onServerStreaming<
        Input: SwiftProtobuf.Message & LimitedRequest, Output: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable @EventLoop (
                Input, RPCWriter<Output>, CallInProgress
            ) async throws -> Void
    ) {
        register(method, RequestDeserializer<Input>()) { messages, writer, call in
            let request = try await only(messages)
            call.tell(of: request)
            try request.checkLimits()
            try await handler(request, writer, call)
        }
    }

    /// Answers an RPC that lists something: what `list` finds, a few listings of a principal at a
    /// time, as the messages that `respond` makes of it.
    mutating func onListing<
        Input: SwiftProtobuf.Message & LimitedRequest, Listed: Sendable,
        Output: SwiftProtobuf.Message
    >(
        _ method: MethodDescriptor, _ listings: Listings,
        _ list: @escaping @Sendable @EventLoop (Input, CallInProgress) async throws -> [Listed],
        _ respond: @escaping @Sendable (Listed) -> Output
    ) {
        register(method, RequestDeserializer<Input>()) { messages, writer, call in
            let request = try await only(messages)
            call.tell(of: request)
            try request.checkLimits()
            let listed = try await listings.run(of: call.principal) {
                try await list(request, call)
            }
            // A few at a time, so that other clients are served in between.
            var start = 0
            while start < listed.count {
                let end = min(start + Self.listingStep, listed.count)
                try await writer.write(contentsOf: listed[start..<end].map(respond))
                start = end
                if start < listed.count { await EventLoop.nextTurn() }
            }
        }
    }

    /// Messages with the largest labels take a millisecond together.
    private static var listingStep: Int { 2 }

    mutating func register<Input: Sendable, Output: SwiftProtobuf.Message>(
        _ method: MethodDescriptor, _ deserializer: some MessageDeserializer<Input>,
        _ handler:
            @escaping @Sendable @EventLoop (
                RPCAsyncSequence<Input, any Error>, RPCWriter<Output>, CallInProgress
            ) async throws -> Void
    ) {
        registerHandler(
            forMethod: method, deserializer: deserializer,
            serializer: ProtobufSerializer<Output>()
        ) { request, context in
            StreamingServerResponse { writer in
                let record = context.transportSpecific as? CallRecord
                let work = Interruptible { interrupt in
                    try await handler(
                        request.messages, writer,
                        CallInProgress(record: record, interrupt: interrupt))
                }
                do {
                    try await work.run()
                } catch {
                    throw StatusTable.status(for: error)
                }
                return [:]
            }
        }
    }
}

/// What a handler may do to its own RPC.
struct CallInProgress: Sendable {
    let record: CallRecord?
    /// Ends it as if the client had cancelled.
    let interrupt: @Sendable () -> Void

    /// The principal that is charged for it: the authenticated client, or where there is none its
    /// address.
    var principal: String {
        guard let record else { return "" }
        if case .text(let name)? = record.notes["principal"] { return name }
        return record.remotePeer
    }

    /// Says in the audit that what was asked for has been done.
    func carryOut() { record?.carryOut() }

    /// Says in the audit what the RPC is about.
    func tell(of request: Any) {
        tell((request as? any NamesTarget)?.target ?? "")
    }

    /// Likewise, of something whose name is known by now.
    func tell(_ target: String) { record?.target = target.isEmpty ? nil : target }

    /// Adds to the audit.
    func note(_ notes: [String: CallRecord.Note]) { record?.note(notes) }

    /// Whether the caller may call another method, and so may see what that one takes.
    func permits(_ method: MethodDescriptor) -> Bool { record?.permits(method) ?? false }
}

/// The request of an RPC that has just one.
@EventLoop
private func only<Input>(_ messages: RPCAsyncSequence<Input, any Error>) async throws -> Input {
    var messages = messages.makeAsyncIterator()
    guard let request = try await messages.next(isolation: EventLoop.shared) else {
        throw RPCError(code: .invalidArgument, message: "there is no request message")
    }
    return request
}

/// Work that ends early when the RPC is cancelled, or when a part of it says so.
@EventLoop
private final class Interruptible {
    private let body: @EventLoop (@escaping @Sendable () -> Void) async throws -> Void
    private var task: Task<Void, any Error>?

    nonisolated init(
        _ body: @escaping @EventLoop (@escaping @Sendable () -> Void) async throws -> Void
    ) {
        self.body = body
    }

    func run() async throws {
        let interrupt: @Sendable () -> Void = { [weak self] in
            EventLoop.enqueue { self?.task?.cancel() }
        }
        let task = EventLoop.task { [self] in try await body(interrupt) }
        self.task = task
        defer { self.task = nil }
        try await task.valueWithinRPC
    }
}
