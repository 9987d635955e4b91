import Testing

@testable import ImageFetching

@Suite("What a registry asks for") struct ChallengeTests {
    @Test func bearer() {
        #expect(
            Challenge(
                #"Bearer realm="https://auth.example/token",service="registry, \"x\"",scope="repository:a/b:pull,push""#
            )
                == .bearer(
                    realm: "https://auth.example/token", service: #"registry, "x""#,
                    scope: "repository:a/b:pull,push"))
        #expect(
            Challenge("bearer realm=https://a/t , service=s")
                == .bearer(realm: "https://a/t", service: "s", scope: nil))
    }

    @Test func basic() {
        #expect(Challenge(#"Basic realm="x""#) == .basic)
        #expect(Challenge("BASIC") == .basic)
    }

    @Test(arguments: [
        "", "Digest realm=\"x\"", "Bearer", "Bearer realm=\"", "Bearer realm=\"a",
        "Bearer realm=\"a\\",
        "Bearer realm=\"a\",realm=\"b\"", "Bearer service=\"x\"",
    ])
    func others(_ field: String) {
        #expect(Challenge(field) == nil)
    }
}
