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
            AuthorizationRequest(
                principals: principals.map(PrincipalName.init(classifying:)), path: path,
                headers: headers))
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
                AuthorizationRequest(
                    principals: names.map(PrincipalName.init(classifying:)),
                    otherNames: others.map(PrincipalName.init(classifying:)), path: "/s/M"))
        }
        #expect(decide(["uri:x"], ["CN=mallory"]) == .denied(by: "d"))
        #expect(decide(["uri:x"], ["CN=alice"]) == .allowed(by: "a"))
        #expect(decide(["uri:y"], ["CN=other"]) == .unmatched)
    }

    @Test(
        "The text of a name tells its kind",
        arguments: [
            ("spiffe://lab.example/containerz/write", PrincipalName.Kind.uri), ("urn:x", .uri),
            ("https://x/?a=b", .uri), ("device.example", .dns), ("*.example_1", .dns),
            ("CN=alice", .subject), ("", .subject), ("CN=spiffe://lab/containerz/write", .subject),
            ("1.2.3=#0401", .subject), ("user:bob", .user), ("user:a/containerz/write", .user),
            ("unix:root", .account), ("/containerz/write", .subject), ("x y://z", .subject),
            ("1x://y", .subject), ("a\u{0}://y", .subject), ("x/containerz/write", .subject),
        ])
    func kinds(_ text: String, _ kind: PrincipalName.Kind) {
        #expect(PrincipalName(classifying: text).kind == kind)
    }

    @Test(
        "A certificate's names have the syntax of their kind",
        arguments: [
            (PrincipalName.Kind.uri, "device.example"), (.uri, "CN=alice"), (.uri, "user:bob"),
            (.uri, "unix:root"), (.uri, "spiffe://a/b\u{0}"), (.uri, "spiffe://a/ü"), (.uri, ""),
            (.uri, "/containerz/write"), (.uri, "x/y:z"), (.dns, "spiffe://a/containerz/write"),
            (.dns, "x/containerz/write"), (.dns, "CN=alice"), (.dns, ""), (.dns, "a b"),
            (.dns, "user:bob"), (.dns, "a\u{0}.example"), (.subject, "spiffe://a/containerz/write"),
            (.subject, "device.example"), (.subject, "user:bob"),
        ])
    func malformed(_ kind: PrincipalName.Kind, _ text: String) {
        #expect(!PrincipalName(kind, text).isWellFormed)
    }

    @Test(
        "A pattern of an allow rule matches names of one kind",
        arguments: [
            ("*/containerz/write", PrincipalName.Kind.uri, "spiffe://lab/containerz/write", true),
            ("*/containerz/write", .subject, "CN=x/containerz/write", false),
            ("*/containerz/write", .dns, "x/containerz/write", false),
            ("*/containerz/write", .user, "user:alice/containerz/write", false),
            ("*/containerz/write", .account, "unix:alice/containerz/write", false),
            ("spiffe://lab/*", .uri, "spiffe://lab/x", true),
            ("spiffe://lab/*", .dns, "spiffe://lab/x", false),
            ("spiffe://lab/x", .dns, "spiffe://lab/x", false),
            ("spiffe*", .dns, "spiffe.example", true), ("spiffe*", .uri, "spiffe://x", false),
            ("*.example", .dns, "a.example", true), ("*.example", .uri, "https://a.example", false),
            ("*.example", .subject, "CN=a.example", false),
            ("*.example", .user, "user:a.example", false),
            ("CN=alice*", .subject, "CN=alice,O=lab", true), ("CN=alice", .uri, "CN=alice", false),
            ("*,O=lab", .subject, "CN=alice,O=lab", true),
            ("*,O=lab", .subject, "CN=alice\\,O=lab", false),
            ("*,O=lab", .subject, "CN=alice\\\\,O=lab", true),
            ("*O=lab", .subject, "CN=alice,O=lab", true), ("*O=lab", .subject, "O=lab", true),
            ("*O=lab", .subject, "CN=aliceO=lab", false),
            ("*O=lab", .subject, "CN=alice\\,O=lab", false),
            ("*-admin,O=lab", .subject, "CN=a-admin,O=lab", true),
            ("user:*", .user, "user:bob", true), ("user:*", .uri, "user:bob", false),
            ("*bob", .user, "user:bob", false), ("*root", .account, "unix:root", false),
            ("unix:root", .account, "unix:root", true), ("u*", .account, "unix:root", false),
            ("*", .subject, "CN=x", true), ("*", .user, "user:x", true), ("*", .subject, "", false),
            ("", .subject, "", true),
        ])
    func patternsOfOneKind(
        _ pattern: String, _ kind: PrincipalName.Kind, _ name: String, _ matches: Bool
    ) throws {
        func decide(_ key: String) throws -> AuthorizationDecision {
            let others = key == "deny_rules" ? #", "allow_rules": []"# : ""
            return try policy(
                #""\#(key)": [{"name": "r", "source": {"principals": ["\#(pattern)"]}}]\#(others)"#
            ).decide(AuthorizationRequest(principals: [.init(kind, name)], path: "/s/M"))
        }
        #expect(try decide("allow_rules").isAllowed == matches)
        // A deny rule denies whatever looks like it.
        if matches { #expect(try decide("deny_rules") == .denied(by: "r")) }
    }

    @Test("A deny rule matches names of every kind by their text")
    func denyingByText() throws {
        let policy = try policy(
            #""deny_rules": [{"name": "d", "source": {"principals": ["*/suspended"]}}], "#
                + #""allow_rules": [{"name": "a"}]"#)
        for name in ["spiffe://lab/suspended", "CN=x/suspended", "user:x/suspended"] {
            let names = [PrincipalName(classifying: name)]
            #expect(
                policy.decide(AuthorizationRequest(principals: names, path: "/s/M"))
                    == .denied(by: "d"))
            #expect(
                policy.decide(
                    AuthorizationRequest(principals: [], otherNames: names, path: "/s/M"))
                    == .denied(by: "d"))
        }
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
