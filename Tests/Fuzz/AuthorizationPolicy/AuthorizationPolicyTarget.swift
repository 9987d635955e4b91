import Authorization
import FuzzSupport
import JSON

/// A policy that is taken decides as one reads it: each decision is what a plain reading of the
/// document comes to.
@main struct AuthorizationPolicyTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let choices = (0..<4).map { _ in Int(input.byte()) }
        let text = input.bytes
        let policy: AuthorizationPolicy
        do {
            policy = try AuthorizationPolicy(parsing: text)
        } catch {
            return require(
                error.description.unicodeScalars.allSatisfy { $0.value >= 0x20 },
                "control characters in '\(error)'")
        }
        guard let document = try? JSONValue(parsing: String(decoding: text, as: UTF8.self)) else {
            fatalError("a policy that is no JSON was taken")
        }
        // Requests are made of what the policy speaks of, or they would never match.
        let words = document.strings + ["", "x"]
        let chosen = choices.map { Array(words[$0 % words.count]) }
            .map { String($0.map { $0 == "*" ? "x" : $0 }) }
        let name = PrincipalName(classifying: chosen[0])
        let request = AuthorizationRequest(
            principals: [name], otherNames: [PrincipalName(classifying: chosen[1])],
            path: chosen[2], headers: ["key": chosen[3]])
        let (decision, expected) = (policy.decide(request), Reading(document).decide(request))
        // Of a subject's end only whole attributes count, which is less than the text.
        guard name.kind == .subject else {
            return requireEqual(decision, expected)
        }
        require(expected.isAllowed || decision == expected, "\(decision), unlike \(expected)")
    }
}

/// A policy as gRPC proposal A43 describes it, read the slow way; patterns of allow rules are of the
/// kind of the names that they match.
private struct Reading {
    private let document: JSONValue

    init(_ document: JSONValue) { self.document = document }

    func decide(_ request: AuthorizationRequest) -> AuthorizationDecision {
        let names = request.principals + request.otherNames
        for rule in document["deny_rules"].elements
        where Self.fits(rule, request, names, means: { _, _ in true }) {
            return .denied(by: rule["name"].text)
        }
        for rule in document["allow_rules"].elements
        where Self.fits(rule, request, request.principals, means: Self.means) {
            return .allowed(by: rule["name"].text)
        }
        return .unmatched
    }

    private static func means(_ pattern: String, _ name: PrincipalName) -> Bool {
        if pattern == "*" { return true }
        if pattern.isEmpty { return name.kind == .subject }
        if pattern.utf8.starts(with: "user:".utf8) { return name.kind == .user }
        if pattern.utf8.starts(with: "unix:".utf8) { return name.kind == .account }
        let marks = pattern.utf8.map { UnicodeScalar($0) }.filter { [":", "/", "="].contains($0) }
        switch marks.first {
        case nil: return name.kind == .dns
        case "=": return name.kind == .subject
        default: return name.kind == .uri
        }
    }

    private static func fits(
        _ rule: JSONValue, _ request: AuthorizationRequest, _ names: [PrincipalName],
        means: (String, PrincipalName) -> Bool
    ) -> Bool {
        if case .array(let patterns) = rule["source"]["principals"] {
            let isFound = names.contains { name in
                patterns.contains { means($0.text, name) && any([$0], name.text) }
            }
            guard isFound else { return false }
        }
        if case .array(let patterns) = rule["request"]["paths"] {
            guard any(patterns, request.path) else { return false }
        }
        return rule["request"]["headers"].elements.allSatisfy { header in
            guard let value = request.headers[header["key"].text.lowercased()] else { return false }
            return any(header["values"].elements, value)
        }
    }

    private static func any(_ patterns: [JSONValue], _ text: String) -> Bool {
        patterns.contains { fits(Array($0.text.utf8), Array(text.utf8)) }
    }

    private static func fits(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        let star = UInt8(ascii: "*")
        if pattern == [star] { return !text.isEmpty }
        if pattern.first == star { return text.suffix(pattern.count - 1) == pattern.dropFirst() }
        if pattern.last == star { return text.prefix(pattern.count - 1) == pattern.dropLast() }
        return pattern == text
    }
}

extension JSONValue {
    fileprivate subscript(_ key: String) -> JSONValue {
        if case .object(let fields) = self { fields[key] ?? .null } else { .null }
    }

    fileprivate var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    fileprivate var text: String {
        if case .string(let text) = self { text } else { "" }
    }

    /// All texts in it, in an order that is the same every time.
    fileprivate var strings: [String] {
        switch self {
        case .string(let text): [text]
        case .array(let elements): elements.flatMap(\.strings)
        case .object(let fields): fields.sorted { $0.key < $1.key }.flatMap { $0.value.strings }
        case .null, .bool, .int, .double: []
        }
    }
}
