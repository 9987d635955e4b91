import JSON

/// One rule of an authorization policy: who, and which requests.
struct AuthorizationRule: Hashable, Sendable {
    let name: String
    /// Any of them; nil for everybody.
    private let principals: [StringMatcher]?
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
        principals = try Self.matchers(&source, "principals")
        try source?.finish()
        var request = try reader.object("request")
        paths = try Self.matchers(&request, "paths")
        headers = try Self.headers(&request)
        try request?.finish()
        try reader.finish()
    }

    var hasEmptyList: Bool { principals?.isEmpty ?? false || paths?.isEmpty ?? false }

    /// - Parameter names: those of the peer that count.
    func matches(_ request: AuthorizationRequest, _ names: [String]) -> Bool {
        if let principals {
            guard
                names.contains(where: { name in
                    principals.contains { $0.matches(name) }
                })
            else { return false }
        }
        if let paths, !paths.contains(where: { $0.matches(request.path) }) { return false }
        return headers.allSatisfy { header in
            guard let value = request.headers[header.key] else { return false }
            return header.values.contains { $0.matches(value) }
        }
    }

    private static func matchers(
        _ reader: inout JSONObjectReader?, _ key: String
    ) throws(JSONObjectReader.Failure) -> [StringMatcher]? {
        guard let patterns = try reader?.strings(key), let reader else { return nil }
        return try matchers(patterns, reader, key)
    }

    private static func matchers(
        _ patterns: [String], _ reader: JSONObjectReader, _ key: String
    ) throws(JSONObjectReader.Failure) -> [StringMatcher] {
        var matchers: [StringMatcher] = []
        for (index, pattern) in patterns.enumerated() {
            guard let matcher = StringMatcher(pattern) else {
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
            headers.append(Header(key: key, values: try matchers(values, reader, "values")))
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
