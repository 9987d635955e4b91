import ServerAddress
import Testing

@Suite("Hosts that an administrator names") struct HostPatternTests {
    @Test(
        arguments: [
            ("r.example", "r.example", 443, true), ("r.example", "R.Example.", 5000, true),
            ("r.example:5000", "r.example", 5000, true),
            ("r.example:5000", "r.example", 443, false),
            ("r.example:5000", "r.example", nil, false), ("*.b.example", "a.b.example", 1, true),
            ("*.b.example", "b.example", 1, false), ("*.b.example", ".b.example", 1, false),
            ("*.b.example", "evilb.example", 1, false), ("*", "anything", nil, true),
            ("[::1]:5000", "::1", 5000, true), ("[::1]", "[::1]", 1, true),
            ("[::1]", "::2", 1, false),
            ("localhost", "localhost.evil.example", 1, false),
        ] as [(String, String, Int?, Bool)])
    func matches(_ pattern: String, _ host: String, _ port: Int?, _ isMatch: Bool) {
        #expect(HostPattern(pattern)?.matches(host, port: port) == isMatch)
    }

    @Test(arguments: [
        "", ":80", "a b", "a/b", "a@b", "a:0", "a:65536", "a:x", "a:+1", "*.a:80", "*a", "a.*",
        "[::1",
        "a,b", "*.",
    ])
    func rejects(_ text: String) {
        #expect(HostPattern(text) == nil)
    }

    @Test func onlyExactPatternsNameOneHost() {
        #expect(
            ["a", "a:1", "*.a", "*"].map { HostPattern($0)?.isExact } == [true, true, false, false])
        #expect(HostPattern("a", defaultPort: 443)?.description == "a:443")
        #expect(HostPattern("[::1]:5", defaultPort: 443)?.description == "[::1]:5")
    }
}
