import Testing

@testable import LabCertificates

@Suite struct ServerNameTests {
    @Test(
        "Names and addresses",
        arguments: [
            ("localhost", "DNS:localhost"), ("switch-1.lab.example", "DNS:switch-1.lab.example"),
            ("1a", "DNS:1a"), ("192.0.2.1", "IP:192.0.2.1"), ("2001:db8::1", "IP:2001:db8::1"),
            ("[::1]", "IP:::1"),
        ])
    func names(_ text: String, _ alternativeName: String) {
        #expect(ServerName(text)?.alternativeName == alternativeName)
    }

    @Test(
        "What is neither",
        arguments: [
            "", ".", "a..b", "a.", "-a", "a-", "a b", "a,DNS:b", "a_b", "*.lab.example",
            "192.0.2.256", "1.2.3", "[192.0.2.1]", "[a]", "::g", "host:9339", "a\0b", "schalter–1",
            String(repeating: "a", count: 64),
            [String](repeating: "abcdefgh", count: 30).joined(separator: "."),
        ])
    func noNames(_ text: String) {
        #expect(ServerName(text) == nil)
    }
}
