import FoundationEssentials

/// The flags of a call.
struct CallFlags: Hashable, Sendable {
    var more = false
    var oneway = false
    var upgrade = false
}

/// A call as it came in, decoded in one pass: the method's name says what its parameters are.
struct IncomingCall: Decodable, Sendable {
    enum Target: Sendable {
        case handler(Handler.Work, takesDescriptors: Bool)
        case failure(ServiceError)
    }

    enum CodingKeys: CodingKey { case method, parameters, more, oneway, upgrade }

    let method: String
    let flags: CallFlags
    let target: Target

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let method = try fields.decode(String.self, forKey: .method)
        self.method = method
        flags = CallFlags(
            more: try fields.decodeIfPresent(Bool.self, forKey: .more) ?? false,
            oneway: try fields.decodeIfPresent(Bool.self, forKey: .oneway) ?? false,
            upgrade: try fields.decodeIfPresent(Bool.self, forKey: .upgrade) ?? false)
        if flags.upgrade {
            target = .failure(.methodNotImplemented(method))
            return
        }
        guard let services = decoder.userInfo[MethodTable.key] as? MethodTable else {
            target = .failure(.methodNotFound(method))
            return
        }
        do {
            let handler = try services.handler(for: method)
            target = .handler(
                try handler.decode(fields), takesDescriptors: handler.takesDescriptors)
        } catch let error as ServiceError {
            target = .failure(error)
        } catch let error as DecodingError {
            target = .failure(.invalidParameter(error.parameterName))
        }
    }
}

/// The services of a server, by the names of their methods.
final class MethodTable: Sendable {
    static let key = CodingUserInfoKey.methods

    let interfaces: [String: String]
    private let handlers: [String: Handler]

    init(_ services: [Service]) {
        interfaces = Dictionary(
            services.map { ($0.interface, $0.description) }, uniquingKeysWith: { $1 })
        handlers = services.reduce(into: [:]) { $0.merge($1.handlers) { $1 } }
    }

    func serves(_ method: String) -> Bool { handlers[method] != nil }

    func handler(for method: String) throws(ServiceError) -> Handler {
        if let handler = handlers[method] { return handler }
        guard let dot = method.lastIndex(of: ".") else { throw .methodNotFound(method) }
        let interface = String(method[..<dot])
        guard interfaces[interface] != nil else { throw .interfaceNotFound(interface) }
        throw .methodNotFound(method)
    }
}

extension CodingUserInfoKey {
    fileprivate static let methods: CodingUserInfoKey = {
        guard let key = CodingUserInfoKey(rawValue: "org.containerz.varlink.methods") else {
            preconditionFailure("any text makes a key")
        }
        return key
    }()
}

extension DecodingError {
    /// The parameter that could not be read, with the path inside it: `spec.ports.0.internal`.
    var parameterName: String {
        let path: [any CodingKey]
        switch self {
        case .keyNotFound(let key, let context): path = context.codingPath + [key]
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            path = context.codingPath
        @unknown default: path = []
        }
        var names = path.map { $0.intValue.map(String.init) ?? $0.stringValue }
        if names.first == IncomingCall.CodingKeys.parameters.stringValue { names.removeFirst() }
        return names.isEmpty ? "parameters" : names.joined(separator: ".")
    }
}
