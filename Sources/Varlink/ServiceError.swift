/// The errors of `org.varlink.service`, which every service may answer with.
public enum ServiceError: InterfaceError, Hashable, CustomStringConvertible {
    case interfaceNotFound(String)
    case methodNotFound(String)
    case methodNotImplemented(String)
    /// The parameter is missing, of a wrong type or out of its range.
    case invalidParameter(String)
    case permissionDenied
    /// The method answers in several replies, and the call did not say that it takes them.
    case expectedMore

    static let interface = "org.varlink.service"

    private enum CodingKeys: CodingKey { case interface, method, parameter }

    public var errorName: String {
        switch self {
        case .interfaceNotFound: "\(Self.interface).InterfaceNotFound"
        case .methodNotFound: "\(Self.interface).MethodNotFound"
        case .methodNotImplemented: "\(Self.interface).MethodNotImplemented"
        case .invalidParameter: "\(Self.interface).InvalidParameter"
        case .permissionDenied: "\(Self.interface).PermissionDenied"
        case .expectedMore: "\(Self.interface).ExpectedMore"
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .interfaceNotFound(let interface): try fields.encode(interface, forKey: .interface)
        case .methodNotFound(let method), .methodNotImplemented(let method):
            try fields.encode(method, forKey: .method)
        case .invalidParameter(let parameter): try fields.encode(parameter, forKey: .parameter)
        case .permissionDenied, .expectedMore: break
        }
    }

    public init?(errorName: String, from decoder: any Decoder) throws {
        func text(_ key: CodingKeys) throws -> String {
            try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: key)
        }
        switch errorName {
        case "\(Self.interface).InterfaceNotFound": self = .interfaceNotFound(try text(.interface))
        case "\(Self.interface).MethodNotFound": self = .methodNotFound(try text(.method))
        case "\(Self.interface).MethodNotImplemented":
            self = .methodNotImplemented(try text(.method))
        case "\(Self.interface).InvalidParameter":
            self = .invalidParameter(try text(.parameter))
        case "\(Self.interface).PermissionDenied": self = .permissionDenied
        case "\(Self.interface).ExpectedMore": self = .expectedMore
        default: return nil
        }
    }

    /// Introspection has nothing that could fail in another way.
    public static func unexpected(_ error: any Error) -> ServiceError {
        error as? ServiceError ?? .methodNotImplemented("\(error)")
    }

    public var description: String {
        switch self {
        case .interfaceNotFound(let interface): "there is no interface \(interface)"
        case .methodNotFound(let method): "there is no method \(method)"
        case .methodNotImplemented(let method): "\(method) is not implemented"
        case .invalidParameter(let parameter): "parameter \(parameter) is missing or wrong"
        case .permissionDenied: "permission denied"
        case .expectedMore: "the method answers in several replies; call it with 'more'"
        }
    }
}
