import FoundationEssentials
import SystemIO

/// One client of a server: its calls are answered one after the other.
@EventLoop
final class ServerConnection {
    private let channel: MessageChannel
    private let methods: MethodTable
    private let onCallEnd: @Sendable @EventLoop (AnsweredCall) -> Void
    private let decoder = JSONDecoder()
    private var task: Task<Void, Never>?
    private var activity = Activity.idle
    private var ending = false
    /// Who is at the other end, where that can be told.
    private let caller: PeerCredentials?

    /// Calls that are longer are decoded away from the loop.
    private static let longCall = 64 << 10
    /// Called once, with the reason when the peer broke the protocol.
    var onEnd: (@EventLoop ((any Error)?) -> Void)?

    private enum Activity { case idle, answering, oneway }

    init(
        _ socket: consuming StreamSocket, methods: MethodTable,
        onCallEnd: @escaping @Sendable @EventLoop (AnsweredCall) -> Void
    ) throws(SystemError) {
        self.methods = methods
        self.onCallEnd = onCallEnd
        caller = try? socket.peerCredentials()
        channel = try MessageChannel(socket)
        decoder.userInfo[MethodTable.key] = methods
        channel.onHangup = { [weak self] in self?.hungUp() }
    }

    /// Answers calls until the client has gone; cancelling the task cancels the call under way.
    func run() async {
        let task = EventLoop.task { await self.process() }
        self.task = task
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// Ends now when no call is under way, else after it.
    func endWhenIdle() {
        ending = true
        if activity == .idle { channel.close() }
    }

    /// Nobody waits for the answer any more. A oneway call has no answer to wait for.
    private func hungUp() {
        if activity == .answering { task?.cancel() }
    }

    private func process() async {
        var failure: (any Error)?
        do {
            while !ending, let message = try await channel.receive() {
                try await Caller.$current.withValue(caller) { try await answer(message) }
                activity = .idle
            }
        } catch let violation as ProtocolViolation {
            failure = violation
        } catch {
            // The client went away, or we are to end.
        }
        channel.close()
        onEnd?(failure)
        onEnd = nil
    }

    private func answer(_ message: Message) async throws {
        let call: IncomingCall
        do {
            call = try await decode(message.bytes)
        } catch let error as SystemError {
            // Out of threads: the client may try again.
            throw error
        } catch {
            throw ProtocolViolation.malformed("not a call")
        }
        if call.flags.more, call.flags.oneway {
            throw ProtocolViolation.malformed("'more' and 'oneway' exclude each other")
        }
        if channel.hungUp, !call.flags.oneway { throw CancellationError() }
        activity = call.flags.oneway ? .oneway : .answering
        switch call.target {
        case .failure(let error):
            let exchange = Exchange(
                flags: call.flags, descriptors: nil, channel: channel)
            defer { ended(call, exchange) }
            try await exchange.fail(with: error)
        case .handler(let work, let takesDescriptors):
            if !takesDescriptors { message.descriptors?.close() }
            let exchange = Exchange(
                flags: call.flags, descriptors: message.descriptors, channel: channel)
            defer { ended(call, exchange) }
            try await work(exchange)
        }
    }

    private func decode(_ bytes: Data) async throws -> IncomingCall {
        let decoder = self.decoder
        guard bytes.count > Self.longCall else {
            return try decoder.decode(IncomingCall.self, from: bytes)
        }
        return try await LongComputation.run { try decoder.decode(IncomingCall.self, from: bytes) }
    }

    private func ended(_ call: IncomingCall, _ exchange: Exchange) {
        // A client can make up any name.
        let method = methods.serves(call.method) ? call.method : nil
        onCallEnd(
            AnsweredCall(method: method, outcome: exchange.outcome, reason: exchange.reason))
    }
}
