import FoundationEssentials
import JSON
import SystemIO

/// The connection failed while a call was being answered; there is nobody left to answer.
struct ExchangeEnded: Error {
    var cause: any Error
}

/// One call on a server's connection: its flags, what came with it, and the way back.
@EventLoop
final class Exchange {
    let flags: CallFlags
    let descriptors: PassedDescriptors?
    private let channel: MessageChannel
    /// How the call was answered, whether or not the answer gets through.
    private(set) var outcome = AnsweredCall.Outcome.brokenOff

    init(
        flags: CallFlags, descriptors: PassedDescriptors?, channel: MessageChannel
    ) {
        self.flags = flags
        self.descriptors = descriptors
        self.channel = channel
    }

    func proceed(with reply: some Encodable) async throws {
        if flags.oneway { return }
        guard flags.more else { throw ServiceError.expectedMore }
        try await send(OutgoingReply(parameters: reply, continues: true))
    }

    func finish(with reply: some Encodable) async throws {
        outcome = .done
        if flags.oneway { return }
        try await send(OutgoingReply(parameters: reply, continues: nil))
    }

    func fail(with error: some InterfaceError) async throws {
        outcome = .failed(error.errorName)
        if flags.oneway { return }
        try await send(OutgoingError(error: error.errorName, parameters: error))
    }

    private func send(_ message: some Encodable) async throws {
        do {
            try await channel.send(try MessageJSON.encode(message))
        } catch {
            throw ExchangeEnded(cause: error)
        }
    }
}

private struct OutgoingReply<Parameters: Encodable>: Encodable {
    var parameters: Parameters
    var continues: Bool?
}

private struct OutgoingError<Parameters: Encodable>: Encodable {
    var error: String
    var parameters: Parameters
}
