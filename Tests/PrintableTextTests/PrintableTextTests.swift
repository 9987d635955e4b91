import PrintableText
import Testing

@Suite("Text of others in lines of ours") struct PrintableTextTests {
    @Test(arguments: [
        ("a\nb\r\n", "a b  "), ("\u{9B}2J", "?2J"), ("x\u{202E}y\u{2066}", "x?y?"),
        ("\u{2028}\u{7F}", "??"), ("grün 日本 👩‍🚀", "grün 日本 👩‍🚀"), ("", ""),
    ])
    func itStaysOnItsLine(text: String, printed: String) {
        #expect(printable(text) == printed)
        #expect(excerpt(text) == printed)
    }

    @Test func tabsMayStay() {
        #expect(printable("a\tb\u{1B}", keepingTabs: true) == "a\tb?")
        #expect(printable("a\tb", keepingTabs: true) == "a\tb")
    }

    @Test func muchOfItIsCut() {
        #expect(excerpt("abc", upTo: 3) == "abc")
        #expect(excerpt("ab\u{1B}d", upTo: 3) == "ab?…")
        #expect(excerpt(String(repeating: "日", count: 10_000)).unicodeScalars.count == 81)
    }
}
