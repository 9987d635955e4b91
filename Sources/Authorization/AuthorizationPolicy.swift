import JSON

/// What is asked: may this principal make this request?
public struct AuthorizationRequest: Hashable, Sendable {
    /// The names that the peer has proved to have, on a unix socket those of its user; none for a
    /// peer without a proof, and an empty subject for a certificate without names.
    public var principals: [PrincipalName]
    /// Further names that the peer has proved to have, which only deny rules look at: a
    /// certificate has names of several kinds, and a deny rule for one of them denies the peer.
    public var otherNames: [PrincipalName]
    /// `/SERVICE/METHOD`.
    public var path: String
    /// The request's text headers by their names in lower case, several values of one name
    /// joined by commas.
    public var headers: [String: String]

    public init(
        principals: [PrincipalName], otherNames: [PrincipalName] = [], path: String,
        headers: [String: String] = [:]
    ) {
        self.principals = principals
        self.otherNames = otherNames
        self.path = path
        self.headers = headers
    }
}

/// The answer, and which rule gave it.
public enum AuthorizationDecision: Hashable, Sendable {
    case allowed(by: String)
    case denied(by: String)
    /// No rule allows it.
    case unmatched

    public var isAllowed: Bool {
        if case .allowed = self { true } else { false }
    }
}

/// Who may call what, in the format of gRPC proposal A43, which gNSI authz uses as well.
///
/// Deny rules come first, then allow rules; what neither mentions is denied.
public struct AuthorizationPolicy: Hashable, Sendable {
    public let name: String
    private let denyRules: [AuthorizationRule]
    private let allowRules: [AuthorizationRule]

    /// - Throws: `JSONObjectReader.Failure`, which says where it is wrong. Unknown fields are.
    public init(parsing text: [UInt8]) throws(JSONObjectReader.Failure) {
        var reader = try JSONObjectReader(parsing: text)
        guard let name = try reader.string("name"), !name.isEmpty else {
            throw reader.failure("name", "is missing")
        }
        self.name = name
        denyRules = try Self.rules("deny_rules", &reader) ?? []
        guard let allowRules = try Self.rules("allow_rules", &reader) else {
            throw reader.failure("allow_rules", "is missing")
        }
        self.allowRules = allowRules
        try reader.finish()
    }

    public func decide(_ request: AuthorizationRequest) -> AuthorizationDecision {
        if let rule = denyRules.first(where: { $0.denies(request) }) {
            return .denied(by: rule.name)
        }
        if let rule = allowRules.first(where: { $0.allows(request) }) {
            return .allowed(by: rule.name)
        }
        return .unmatched
    }

    private static func rules(
        _ key: String, _ reader: inout JSONObjectReader
    ) throws(JSONObjectReader.Failure) -> [AuthorizationRule]? {
        guard let readers = try reader.objects(key) else { return nil }
        var rules: [AuthorizationRule] = []
        for (index, element) in readers.enumerated() {
            let rule = try AuthorizationRule(element)
            // gRPC takes an empty list for anybody, and somebody who wrote it may have as well:
            // a rule that denies nobody is none that anybody wants.
            guard key != "deny_rules" || !rule.hasEmptyList else {
                throw reader.failure("\(key)[\(index)]", "has an empty list, which denies nobody")
            }
            guard !rules.contains(where: { $0.name == rule.name }) else {
                throw reader.failure("\(key)[\(index)].name", "'\(rule.name)' is there twice")
            }
            rules.append(rule)
        }
        return rules
    }
}
