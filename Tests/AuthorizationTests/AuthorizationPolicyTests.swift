import JSON
import Testing

@testable import Authorization

@Suite("The authorization policy") struct AuthorizationPolicyTests {
    private func policy(_ rules: String) throws -> AuthorizationPolicy {
        try AuthorizationPolicy(parsing: Array(#"{"name": "p", \#(rules)}"#.utf8))
    }

    private func decide(
        _ rules: String, _ principals: [String], _ path: String = "/s/M",
        _ headers: [String: String] = [:]
    ) throws -> AuthorizationDecision {
        try policy(rules).decide(
            AuthorizationRequest(principals: principals, path: path, headers: headers))
    }

    @Test("Deny rules come first, and nothing is allowed by default")
    func order() throws {
        let rules = """
            "deny_rules": [{"name": "d", "source": {"principals": ["bad"]}}],
            "allow_rules": [{"name": "a", "source": {"principals": ["*"]}}]
            """
        #expect(try decide(rules, ["good"]) == .allowed(by: "a"))
        #expect(try decide(rules, ["bad"]) == .denied(by: "d"))
        #expect(try decide(rules, ["good", "bad"]) == .denied(by: "d"))
        #expect(try decide(rules, []) == .unmatched)
        #expect(try decide(rules, [""]) == .unmatched)
        #expect(try decide(#""allow_rules": []"#, ["good"]) == .unmatched)
    }

    @Test(
        "Patterns are exact, or have a star at one end",
        arguments: [
            ("abc", "abc", true), ("abc", "abcd", false), ("abc", "ab", false), ("abc", "", false),
            ("abc*", "abc", true), ("abc*", "abcd", true), ("abc*", "xabc", false),
            ("*abc", "abc", true), ("*abc", "xabc", true), ("*abc", "abcd", false),
            ("*", "x", true), ("*", "", false), ("", "", true), ("", "x", false),
            // Two spellings of one character are two names.
            ("caf\u{E9}", "cafe\u{301}", false),
        ])
    func patterns(_ pattern: String, _ name: String, _ matches: Bool) throws {
        let rules = """
            "allow_rules": [{"name": "a", "source": {"principals": ["\(pattern)"]}}]
            """
        #expect(try decide(rules, [name]).isAllowed == matches)
    }

    @Test("What is left out matches anything; what is there has to match as a whole")
    func conjunction() throws {
        let rules = """
            "allow_rules": [{"name": "a", "source": {"principals": ["p", "q"]}, "request": {
                "paths": ["/s/A", "/s/B*"],
                "headers": [{"key": "X-One", "values": ["1", "one*"]},
                            {"key": "two", "values": ["*"]}]}}]
            """
        let headers = ["x-one": "one,more", "two": "x"]
        #expect(try decide(rules, ["q"], "/s/Bx", headers) == .allowed(by: "a"))
        #expect(try decide(rules, ["r"], "/s/A", headers) == .unmatched)
        #expect(try decide(rules, ["p"], "/s/C", headers) == .unmatched)
        #expect(try decide(rules, ["p"], "/s/A", ["x-one": "2", "two": "x"]) == .unmatched)
        #expect(try decide(rules, ["p"], "/s/A", ["x-one": "1"]) == .unmatched)
        #expect(try decide(#""allow_rules": [{"name": "all"}]"#, []) == .allowed(by: "all"))
    }

    @Test("An empty list matches nobody")
    func emptyLists() throws {
        let rules = #""allow_rules": [{"name": "a", "source": {"principals": []}}]"#
        #expect(try decide(rules, ["p"]) == .unmatched)
    }

    @Test("A deny rule looks at every name, an allow rule at the first kind alone")
    func otherNames() throws {
        let policy = try policy(
            """
            "deny_rules": [{"name": "d", "source": {"principals": ["CN=mallory"]}}],
            "allow_rules": [{"name": "a", "source": {"principals": ["uri:x", "CN=other"]}}]
            """)
        func decide(_ names: [String], _ others: [String]) -> AuthorizationDecision {
            policy.decide(
                AuthorizationRequest(principals: names, otherNames: others, path: "/s/M"))
        }
        #expect(decide(["uri:x"], ["CN=mallory"]) == .denied(by: "d"))
        #expect(decide(["uri:x"], ["CN=alice"]) == .allowed(by: "a"))
        #expect(decide(["uri:y"], ["CN=other"]) == .unmatched)
    }

    @Test(
        "What is wrong is refused, and the message says where",
        arguments: [
            (#"{}"#, "name is missing"),
            (#"{"name": "p"}"#, "allow_rules is missing"),
            (#"{"name": "p", "allow_rules": [], "x": 1}"#, "x is not known"),
            (
                #"{"name": "p", "allow_rules": [], "deny_rules": [], "deny_rules": []}"#,
                "a key is there twice"
            ),
            (
                #"{"name": "p", "allow_rules": [], "deny_rules": [{"name": "d", "#
                    + #""source": {"principals": []}}]}"#,
                "deny_rules[0] has an empty list, which denies nobody"
            ),
            (#"{"name": "p", "allow_rules": {}}"#, "allow_rules is not a list"),
            (#"{"name": "p", "allow_rules": [{}]}"#, "allow_rules[0].name is missing"),
            (
                #"{"name": "p", "allow_rules": [{"name": "a"}, {"name": "a"}]}"#,
                "allow_rules[1].name 'a' is there twice"
            ),
            (
                #"{"name": "p", "allow_rules": [{"name": "a", "source": {"principal": []}}]}"#,
                "allow_rules[0].source.principal is not known"
            ),
            (
                #"{"name": "p", "allow_rules": [{"name": "a", "request": {"paths": ["/a*b"]}}]}"#,
                "allow_rules[0].request.paths[0] has a '*' that is not at one end"
            ),
            (
                #"{"name": "p", "allow_rules": [], "deny_rules": [{"name": "d", "request": "#
                    + #"{"headers": [{"key": "grpc-x", "values": ["1"]}]}}]}"#,
                "deny_rules[0].request.headers[0].key 'grpc-x' is a header that no rule may look at"
            ),
            (
                #"{"name": "p", "allow_rules": [{"name": "a", "request": "#
                    + #"{"headers": [{"key": "x", "values": []}]}}]}"#,
                "allow_rules[0].request.headers[0].values is missing"
            ),
        ])
    func refusals(_ text: String, _ message: String) {
        #expect(throws: JSONObjectReader.Failure(message)) {
            try AuthorizationPolicy(parsing: Array(text.utf8))
        }
    }
}
