import OCI
import Testing

@Suite struct ImageReferenceTests {
    private static let hash = String(repeating: "0a", count: 32)

    @Test(
        arguments: [
            ("web", "web", nil), ("web:1.2", "web", "1.2"),
            ("apps/web:a_b-C.d", "apps/web", "a_b-C.d"),
            ("host:5000/web", "host:5000/web", nil), ("host:5000/a/b:t", "host:5000/a/b", "t"),
            ("[::1]:80/a:t", "[::1]:80/a", "t"), ("a__b/c-d.e:t", "a__b/c-d.e", "t"),
            ("localhost/web:t", "localhost/web", "t"),
            ("Host.example/web", "Host.example/web", nil),
        ] as [(String, String, String?)])
    func parses(text: String, repository: String, tag: String?) throws {
        let reference = try ImageReference(parsing: text)
        #expect(reference.repository == repository)
        #expect(reference.tag == tag)
        #expect(reference.description == text)
    }

    @Test func parsesADigest() throws {
        let reference = try ImageReference(parsing: "a/b:t@sha256:\(Self.hash)")
        #expect(reference.tag == "t")
        #expect(reference.digest?.hexadecimal == Self.hash)
        #expect(reference.description == "a/b:t@sha256:\(Self.hash)")
    }

    @Test(arguments: [
        "", ":", "web:", "Web", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "a b", "a\nb",
        "a:-t", "a:.t", "a:t t", "a@sha256:00", "a@md5:00",
        "a:" + String(repeating: "t", count: 129),
        String(repeating: "a", count: 256), "../a", "a/../b", "ä", "host:x/a", "a._b",
        "host:+80/a", "host:-0/a", "host:/a",
    ])
    func refuses(text: String) {
        #expect(throws: ImageReferenceError.self) { try ImageReference(parsing: text) }
    }

    @Test(arguments: [
        ("docker.io/library/web:t", "web:t"), ("docker.io/a/web", "a/web"),
        ("localhost/web:t", "web:t"), ("localhost:5000/web", "localhost:5000/web"),
        ("host.example/library/web", "host.example/library/web"), ("web", "web"),
    ])
    func isFamiliar(text: String, familiar: String) throws {
        #expect(try ImageReference(parsing: text).familiar.description == familiar)
    }

    @Test func anErrorNamesThePartAndHidesControlCharacters() {
        let error = #expect(throws: ImageReferenceError.self) {
            try ImageReference(repository: "a", tag: "t\u{1B}[31m")
        }
        #expect(error?.part == .tag)
        #expect(error?.description.contains("\u{1B}") == false)
    }

    @Test func aDigestNeedsItsWholeLength() {
        #expect(Digest("sha256:\(Self.hash)") != nil)
        #expect(Digest("sha256:\(Self.hash.dropLast())") == nil)
        #expect(Digest("sha256:\(Self.hash.uppercased())") == nil)
        #expect(Digest("sha512:\(Self.hash)\(Self.hash)")?.bytes.count == 64)
    }
}
