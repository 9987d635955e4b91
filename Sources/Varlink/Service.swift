import FoundationEssentials
import SystemIO

/// An interface together with what answers its methods.
public struct Service: Sendable {
    /// The interface's name.
    public let interface: String
    /// Its text, as GetInterfaceDescription returns it.
    public let description: String
    private(set) var handlers: [String: Handler] = [:]

    public init(interface: String, description: String) {
        self.interface = interface
        self.description = description
    }

    /// Answers a method.
    ///
    /// The handler returns the last, or only, reply; others before it go through
    /// ``Call/reply(_:)``. Of what it throws, `M.Failure` and ``ServiceError`` are answered as
    /// they are, anything else as ``InterfaceError/unexpected(_:)``. Its task is cancelled when
    /// the client goes away.
    public mutating func on<M: Method>(
        _ method: M.Type,
        _ body: @escaping @Sendable @EventLoop (Call<M>) async throws -> M.Reply
    ) {
        handlers[M.name] = Handler(takesDescriptors: M.takesDescriptors) { fields in
            let parameters = try fields.decodeParameters(M.Parameters.self, forKey: .parameters)
            return { exchange in
                do {
                    let call = Call<M>(parameters: parameters, exchange: exchange)
                    try await exchange.finish(with: try await body(call))
                } catch let error as M.Failure {
                    try await exchange.fail(with: error)
                } catch let error as ServiceError {
                    try await exchange.fail(with: error)
                } catch let error as ExchangeEnded {
                    throw error
                } catch {
                    if Task.isCancelled { throw CancellationError() }
                    try await exchange.fail(with: M.Failure.unexpected(error))
                }
            }
        }
    }

}

extension KeyedDecodingContainer {
    /// The parameters of a call or a reply; whoever leaves them out means none.
    func decodeParameters<Parameters: Decodable>(
        _ type: Parameters.Type, forKey key: Key
    ) throws -> Parameters {
        if let parameters = try decodeIfPresent(type, forKey: key) { return parameters }
        return try JSONDecoder().decode(type, from: Data("{}".utf8))
    }
}

/// A method's handler, its types erased: decoding the parameters yields the work to do.
struct Handler: Sendable {
    typealias Work = @Sendable @EventLoop (Exchange) async throws -> Void

    let takesDescriptors: Bool
    let decode: @Sendable (KeyedDecodingContainer<IncomingCall.CodingKeys>) throws -> Work
}

/// A call being answered.
@EventLoop
public final class Call<M: Method> {
    public let parameters: M.Parameters
    private let exchange: Exchange

    init(parameters: M.Parameters, exchange: Exchange) {
        self.parameters = parameters
        self.exchange = exchange
    }

    /// Whether the client takes several replies.
    public var wantsMore: Bool { exchange.flags.more }

    /// Takes the descriptor that a parameter names by its index.
    ///
    /// - Parameter use: what it is to be used for; it must be a pipe's end or a regular file that
    ///   is open for that.
    /// - Throws: ``ServiceError/invalidParameter(_:)`` when there is none, and
    ///   ``DescriptorRefused`` when it is of another kind.
    public func takeDescriptor(
        _ index: Int, parameter: String, for use: Descriptor.StreamUse
    ) throws -> Descriptor {
        guard let descriptor = exchange.descriptors?.take(index) else {
            throw ServiceError.invalidParameter(parameter)
        }
        if let objection = try descriptor.objection(to: use) {
            throw DescriptorRefused(parameter: parameter, reason: objection)
        }
        return descriptor
    }

    /// Says that encoding the last reply takes long, so that it is done away from the loop.
    public func expectLongReply() { exchange.hasLongReply = true }

    /// Sends one of several replies, waiting while the client is slow.
    ///
    /// - Throws: ``ServiceError/expectedMore`` when the client takes only one; rethrow it.
    public func reply(_ reply: M.Reply) async throws {
        try await exchange.proceed(with: reply)
    }
}

/// A descriptor came with a call that the method is not defined for.
public struct DescriptorRefused: Error, Hashable, Sendable {
    public var parameter: String
    public var reason: String
}
