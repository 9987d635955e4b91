import FoundationEssentials
import JSON
import SystemIO

/// Why a call got no answer.
public enum ConnectionError: Error, Sendable, CustomStringConvertible {
    /// Nobody listens there.
    case unreachable(SocketAddress, reason: String)
    /// The service went away during the call.
    case lost(SocketAddress)
    /// The service does not keep to the protocol.
    case violated(SocketAddress, ProtocolViolation)
    /// The service answered with an error that neither the interface nor Varlink declares.
    case undeclared(SocketAddress, error: String)

    public var description: String {
        switch self {
        case .unreachable(let address, let reason): "cannot reach \(address): \(reason)"
        case .lost(let address): "\(address): the service went away during the call"
        case .violated(let address, let violation): "\(address): \(violation)"
        case .undeclared(let address, let error): "\(address): unknown error \(error)"
        }
    }
}

/// A client's connection. It carries one call at a time; a call that is cancelled, or that fails
/// otherwise than with an error of its interface, closes it.
@EventLoop
public final class Connection {
    public nonisolated let address: SocketAddress
    private let channel: MessageChannel

    /// - Throws: `ConnectionError.unreachable` or `CancellationError`.
    public static func connect(to address: SocketAddress) async throws -> Connection {
        do {
            return try Connection(try await StreamSocket.connect(to: address), to: address)
        } catch let error as SystemError {
            throw ConnectionError.unreachable(address, reason: error.reason)
        } catch let error as ResolutionError {
            throw ConnectionError.unreachable(address, reason: error.reason)
        }
    }

    /// Takes over a connected socket.
    public init(
        _ socket: consuming StreamSocket, to address: SocketAddress
    ) throws(SystemError) {
        self.address = address
        channel = try MessageChannel(socket)
    }

    /// Whether a call could be made: the service is there and owes nothing.
    public var isUsable: Bool { channel.isIdle }

    /// Abandons the call under way; the service cancels it.
    public func close() { channel.close() }

    /// Calls a method and waits for its one reply.
    ///
    /// - Parameter descriptors: go with the call, and are closed here once sent.
    /// - Throws: `M.Failure`, ``ServiceError``, ``ConnectionError`` or `CancellationError`.
    public func call<M: Method>(
        _ method: M.Type, _ parameters: M.Parameters, passing descriptors: PassedDescriptors? = nil
    ) async throws -> M.Reply {
        try await send(OutgoingCall(method: M.name, parameters: parameters), descriptors)
        let incoming: IncomingReply<M> = try await receiveMessage()
        switch incoming {
        case .reply(let reply): return reply
        case .failure(let failure): throw failure
        case .serviceFailure(let failure): throw failure
        case .undeclared(let error):
            channel.close()
            throw ConnectionError.undeclared(address, error: error)
        }
    }

    /// Calls a method that answers in parts, and hands over each reply as it comes.
    ///
    /// - Throws: as ``call(_:_:passing:)``, and what `body` throws, which closes the connection.
    public func callForParts<M: Method>(
        _ method: M.Type, _ parameters: M.Parameters,
        _ body: @EventLoop (M.Reply) async throws -> Void
    ) async throws {
        try await send(OutgoingCall(method: M.name, parameters: parameters, more: true), nil)
        while true {
            let incoming: IncomingPart<M> = try await receiveMessage()
            switch incoming.reply {
            case .reply(let reply):
                do {
                    try await body(reply)
                } catch {
                    channel.close()
                    throw error
                }
                guard incoming.continues else { return }
            case .failure(let failure): throw failure
            case .serviceFailure(let failure): throw failure
            case .undeclared(let error):
                channel.close()
                throw ConnectionError.undeclared(address, error: error)
            }
        }
    }

    func send(_ call: OutgoingCall<some Encodable>, _ descriptors: PassedDescriptors?) async throws
    {
        do {
            try await channel.send(try MessageJSON.encode(call), descriptors: descriptors)
        } catch {
            channel.close()
            throw self.error(for: error)
        }
    }

    /// - Throws: ``ConnectionError`` or `CancellationError`; the connection is closed then.
    func receiveMessage<Message: Decodable>() async throws -> Message {
        do {
            guard let message = try await channel.receive() else {
                throw ConnectionError.lost(address)
            }
            message.descriptors?.close()
            return try JSONDecoder().decode(Message.self, from: message.bytes)
        } catch {
            channel.close()
            throw self.error(for: error)
        }
    }

    private func error(for error: any Error) -> any Error {
        switch error {
        case is SystemError: ConnectionError.lost(address)
        case ProtocolViolation.endInsideMessage: ConnectionError.lost(address)
        case let violation as ProtocolViolation: ConnectionError.violated(address, violation)
        case let error as DecodingError:
            ConnectionError.violated(address, .malformed("\(error.parameterName) in a reply"))
        default: error
        }
    }
}

struct OutgoingCall<Parameters: Encodable>: Encodable {
    var method: String
    var parameters: Parameters
    var more: Bool?
}

/// One of several replies, decoded in one pass.
struct IncomingPart<M: Method>: Decodable {
    var reply: IncomingReply<M>
    var continues: Bool

    private enum CodingKeys: CodingKey { case continues }

    init(from decoder: any Decoder) throws {
        reply = try IncomingReply(from: decoder)
        continues =
            try decoder.container(keyedBy: CodingKeys.self)
            .decodeIfPresent(Bool.self, forKey: .continues) ?? false
    }
}

/// A reply as it came in, decoded in one pass.
enum IncomingReply<M: Method>: Decodable {
    case reply(M.Reply)
    case failure(M.Failure)
    case serviceFailure(ServiceError)
    case undeclared(String)

    private enum CodingKeys: CodingKey { case parameters, error }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        if let error = try fields.decodeIfPresent(String.self, forKey: .error) {
            let parameters = try fields.superDecoder(forKey: .parameters)
            if let failure = try M.Failure(errorName: error, from: parameters) {
                self = .failure(failure)
            } else if let failure = try ServiceError(errorName: error, from: parameters) {
                self = .serviceFailure(failure)
            } else {
                self = .undeclared(error)
            }
            return
        }
        self = .reply(try fields.decodeParameters(M.Reply.self, forKey: .parameters))
    }
}
