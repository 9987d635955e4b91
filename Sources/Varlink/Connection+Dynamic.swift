import FoundationEssentials
import JSON

/// A reply to a call of a method known only by its name.
public enum DynamicReply: Sendable {
    case reply(JSONValue, continues: Bool)
    /// An error of the interface or of `org.varlink.service`.
    case error(name: String, parameters: JSONValue)
}

extension Connection {
    /// Calls a method by its name and hands over each reply; with `more`, there may be several.
    ///
    /// - Throws: ``ConnectionError`` or `CancellationError`, and what `body` throws.
    public func call(
        _ method: String, _ parameters: JSONValue, more: Bool,
        passing descriptors: PassedDescriptors? = nil,
        _ body: (DynamicReply) async throws -> Void
    ) async throws {
        let call = OutgoingCall(
            method: method, parameters: parameters, more: more ? true : nil)
        try await send(call, descriptors)
        while true {
            let reply: IncomingDynamicReply = try await receiveMessage()
            if let error = reply.error {
                return try await body(.error(name: error, parameters: reply.parameters))
            }
            try await body(.reply(reply.parameters, continues: reply.continues))
            guard reply.continues else { return }
        }
    }
}

private struct IncomingDynamicReply: Decodable {
    var parameters: JSONValue
    var continues: Bool
    var error: String?

    private enum CodingKeys: CodingKey { case parameters, continues, error }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        parameters =
            try fields.decodeIfPresent(JSONValue.self, forKey: .parameters) ?? .object([:])
        continues = try fields.decodeIfPresent(Bool.self, forKey: .continues) ?? false
        error = try fields.decodeIfPresent(String.self, forKey: .error)
    }
}
