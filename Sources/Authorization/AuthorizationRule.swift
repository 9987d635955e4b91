import JSON

/// One rule of an authorization policy: who, and which requests.
struct AuthorizationRule: Hashable, Sendable {
    let name: String
    /// Any of them; nil for everybody.
    private let principals: [PrincipalMatcher]?
    /// Any of them; nil for every method.
    private let paths: [StringMatcher]?
    /// Each of them.
    private let headers: [Header]

    private struct Header: Hashable, Sendable {
        var key: String
        /// Any of them.
        var values: [StringMatcher]
    }

    /// - Throws: `JSONObjectReader.Failure`.
    init(_ reader: JSONObjectReader) throws(JSONObjectReader.Failure) {
        var reader = reader
        guard let name = try reader.string("name"), !name.isEmpty else {
            throw reader.failure("name", "is missing")
        }
        self.name = name
        var source = try reader.object("source")
        principals = try Self.matchers(&source, "principals", PrincipalMatcher.init(_:))
        try source?.finish()
        var request = try reader.object("request")
        paths = try Self.matchers(&request, "paths", StringMatcher.init(_:))
        headers = try Self.headers(&request)
        try request?.finish()
        try reader.finish()
    }

    var hasEmptyList: Bool { principals?.isEmpty ?? false || paths?.isEmpty ?? false }

    /// Whether the rule is about a request, as an allow rule: its patterns match names of their
    /// own kind.
    func allows(_ request: AuthorizationRequest) -> Bool {
        matches(request) { pattern in request.principals.contains { pattern.matches($0) } }
    }

    /// Whether the rule is about a request, as a deny rule: its patterns match every name, by the
    /// text alone.
    func denies(_ request: AuthorizationRequest) -> Bool {
        matches(request) { pattern in
            request.principals.contains { pattern.matchesText(of: $0) }
                || request.otherNames.contains { pattern.matchesText(of: $0) }
        }
    }

    private func matches(
        _ request: AuthorizationRequest, _ isPeer: (PrincipalMatcher) -> Bool
    ) -> Bool {
        if let principals, !principals.contains(where: isPeer) { return false }
        if let paths, !paths.contains(where: { $0.matches(request.path) }) { return false }
        return headers.allSatisfy { header in
            guard let value = request.headers[header.key] else { return false }
            return header.values.contains { $0.matches(value) }
        }
    }

    private static func matchers<Matcher>(
        _ reader: inout JSONObjectReader?, _ key: String, _ make: (String) -> Matcher?
    ) throws(JSONObjectReader.Failure) -> [Matcher]? {
        guard let patterns = try reader?.strings(key), let reader else { return nil }
        return try matchers(patterns, reader, key, make)
    }

    private static func matchers<Matcher>(
        _ patterns: [String], _ reader: JSONObjectReader, _ key: String,
        _ make: (String) -> Matcher?
    ) throws(JSONObjectReader.Failure) -> [Matcher] {
        var matchers: [Matcher] = []
        for (index, pattern) in patterns.enumerated() {
            guard let matcher = make(pattern) else {
                throw reader.failure("\(key)[\(index)]", "has a '*' that is not at one end")
            }
            matchers.append(matcher)
        }
        return matchers
    }

    private static func headers(
        _ request: inout JSONObjectReader?
    ) throws(JSONObjectReader.Failure) -> [Header] {
        var headers: [Header] = []
        for var reader in try request?.objects("headers") ?? [] {
            guard let key = try reader.string("key")?.lowercased(), !key.isEmpty else {
                throw reader.failure("key", "is missing")
            }
            guard isAllowed(key) else {
                throw reader.failure("key", "'\(key)' is a header that no rule may look at")
            }
            guard let values = try reader.strings("values"), !values.isEmpty else {
                throw reader.failure("values", "is missing")
            }
            headers.append(
                Header(
                    key: key, values: try matchers(values, reader, "values", StringMatcher.init(_:))
                ))
            try reader.finish()
        }
        return headers
    }

    /// What is the transport's own, or not text (A43, "Rule"), and what is a secret.
    private static func isAllowed(_ key: String) -> Bool {
        !key.hasPrefix(":") && !key.hasPrefix("grpc-") && !key.hasSuffix("-bin")
            && ![
                "host", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
                "te", "trailer", "transfer-encoding", "upgrade", "password", "authorization",
            ].contains(key)
    }
}
