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
    /// What the error says that it was answered with.
    private(set) var reason: String?
    /// Whether encoding the last reply takes long.
    var hasLongReply = false

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

    /// - Throws: ``ReplyTooLong``, after which the call can still be failed, or `ExchangeEnded`.
    func finish(with reply: some Encodable & Sendable) async throws {
        if flags.oneway {
            outcome = .done
            return
        }
        let message = OutgoingReply(parameters: reply, continues: nil)
        guard hasLongReply else {
            outcome = .done
            return try await send(message)
        }
        let bytes: Data
        do {
            bytes = try await LongComputation.run { try MessageJSON.encode(message) }
        } catch {
            throw ExchangeEnded(cause: error)
        }
        guard bytes.count <= MessageBuffer.longestMessage else {
            throw ReplyTooLong(count: bytes.count)
        }
        outcome = .done
        try await send(bytes)
    }

    func fail(with error: some InterfaceError) async throws {
        outcome = .failed(error.errorName)
        reason = "\(error)"
        if flags.oneway { return }
        try await send(OutgoingError(error: error.errorName, parameters: error))
    }

    private func send(_ message: some Encodable) async throws {
        do {
            try await send(try MessageJSON.encode(message))
        } catch let error as EncodingError {
            throw ExchangeEnded(cause: error)
        }
    }

    private func send(_ bytes: Data) async throws {
        do {
            try await channel.send(bytes)
        } catch {
            throw ExchangeEnded(cause: error)
        }
    }
}

/// A reply that no client would take.
struct ReplyTooLong: Error, CustomStringConvertible {
    var count: Int

    var description: String {
        "the reply has \(count) bytes, and a message has at most "
            + "\(MessageBuffer.longestMessage); call the method with 'more'"
    }
}

private struct OutgoingReply<Parameters: Encodable>: Encodable {
    var parameters: Parameters
    var continues: Bool?
}

extension OutgoingReply: Sendable where Parameters: Sendable {}

private struct OutgoingError<Parameters: Encodable>: Encodable {
    var error: String
    var parameters: Parameters
}
