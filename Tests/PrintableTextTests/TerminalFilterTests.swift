import PrintableText
import Testing

@Suite("Logs of containers on a terminal") struct TerminalFilterTests {
    private func filtered(_ bytes: [UInt8], pieces size: Int? = nil) -> String {
        var filter = TerminalFilter()
        var output: [UInt8] = []
        let size = size ?? max(bytes.count, 1)
        for start in stride(from: 0, to: bytes.count, by: size) {
            output += filter.filter(bytes[start..<min(start + size, bytes.count)])
        }
        return String(decoding: output + filter.finish(), as: UTF8.self)
    }

    private static let esc = "\u{1B}"

    private static let cases: [(String, String)] = [
        // What passes.
        ("plain\ttext\nand more\n", "plain\ttext\nand more\n"),
        ("grün 日本 👩‍🚀\n", "grün 日本 👩‍🚀\n"),
        ("\(esc)[1;31mred\(esc)[0m", "\(esc)[1;31mred\(esc)[0m"),
        ("\(esc)[38;2;1;2;3ma\(esc)[4:3mb\(esc)[m", "\(esc)[38;2;1;2;3ma\(esc)[4:3mb\(esc)[m"),
        ("\u{9B}31mred\u{9B}0m", "\(esc)[31mred\(esc)[0m"),
        // Attributes do not outlast the log.
        ("\(esc)[7mreversed", "\(esc)[7mreversed\(esc)[0m"),
        // Text that is there and not seen.
        ("\(esc)[8mhidden", "hidden"), ("\(esc)[08;1mhidden", "\(esc)[1mhidden\(esc)[0m"),
        ("\(esc)[1;8:1mhidden\(esc)[m", "\(esc)[1mhidden\(esc)[m"),
        (
            "\(esc)[38;5;8ma\(esc)[48;2;8;8;8;8mb\(esc)[m",
            "\(esc)[38;5;8ma\(esc)[48;2;8;8;8mb\(esc)[m"
        ),
        ("\(esc)[38:5:8ma\(esc)[38;8mb\(esc)[38;5mc\(esc)[m", "\(esc)[38:5:8mab\(esc)[5mc\(esc)[m"),
        // Control sequences of other kinds, in both forms.
        ("a\(esc)[2Jb\(esc)[1;1Hc\(esc)[?1049hd\u{9B}6ne", "abcde"),
        ("\(esc)[>4;2ma\(esc)[?1mb\(esc)[1 mc\(esc)[1!m", "abc"),
        ("a\(esc)cb\(esc)7c\(esc)(0d\(esc)#8e", "abcde"),
        // Strings: a title, the clipboard, a status report, a program's own, each with each end.
        ("a\(esc)]0;title\u{7}b\(esc)]52;c;eA==\(esc)\\c\u{9D}2;x\u{9C}d", "abcd"),
        ("a\(esc)P$q\"p\(esc)\\b\u{90}x\u{9C}c\(esc)_G\(esc)\\d\u{9F}x\u{9C}e", "abcde"),
        ("a\(esc)^x\(esc)\\b\(esc)Xx\(esc)\\c\u{98}x\u{9C}d\u{9E}x\u{9C}e", "abcde"),
        // The bell ends no string but OSC.
        ("\(esc)Pa\u{7}b\(esc)\\c", "c"),
        // Strings that are cut off: by another sequence, CAN, SUB, or the end of the line.
        ("\(esc)]0;a\(esc)[31mb\(esc)[m", "\(esc)[31mb\(esc)[m"),
        ("\(esc)]0;a\u{18}b\(esc)]0;a\u{1A}c", "bc"),
        ("\(esc)]0;hidden\nshown\n", "\nshown\n"), ("\(esc)_hidden\nshown\n", "\nshown\n"),
        ("\(esc)[31\nshown", "\nshown"), ("\(esc)\nshown", "\nshown"), ("\(esc)", ""),
        // Control characters.
        ("a\u{8}\u{7}\u{0}\u{B}\u{C}\u{E}\u{F}\u{7F}b\u{84}\u{8D}c", "abc"),
        // Carriage returns.
        ("a\r\nb\r\r\nc\n", "a\nb\nc\n"), ("50%\r100%\r\n", "50%\n100%\n"),
        ("safe\rrm", "safe\nrm"), ("\rsafe", "safe"), ("end\r", "end\n"),
        ("real\r\(esc)[31mfake\(esc)[m\n", "real\(esc)[31m\nfake\(esc)[m\n"),
        // The direction of writing.
        ("a\u{202E}b\u{2066}c\u{2028}d\u{200F}e", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{200F}e"),
    ]

    @Test(arguments: cases)
    func keepsColoursAndDropsTheRest(text: String, shown: String) {
        let bytes = Array(text.utf8)
        #expect(filtered(bytes) == shown)
        for size in 1...3 { #expect(filtered(bytes, pieces: size) == shown) }
    }

    @Test(arguments: [
        ([0x9B, 0x32, 0x4A] as [UInt8], "\u{FFFD}2J"), ([0x9D, 0x61], "\u{FFFD}a"),
        ([0xC3], "\u{FFFD}"), ([0xE2, 0x82, 0x78], "\u{FFFD}x"),
        ([0xC0, 0x9B], "\u{FFFD}\u{FFFD}"),
        ([0xE0, 0x82, 0x9B], "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
        ([0xF0, 0x9F, 0xA6, 0xAD], "🦭"), ([0xF5, 0xFF], "\u{FFFD}\u{FFFD}"),
        ([0xE2, 0x82, 0x1B, 0x5B, 0x4A], "\u{FFFD}"),
    ])
    func replacesBytesThatAreNotUTF8(bytes: [UInt8], shown: String) {
        #expect(filtered(bytes) == shown)
        #expect(filtered(bytes, pieces: 1) == shown)
    }

    @Test(arguments: ["\u{1B}]0;", "\u{1B}P", "\u{1B}_", "\u{1B}[", "\u{1B} ", "\u{9D}"])
    func boundsSequencesThatDoNotEnd(begin: String) {
        let filler = begin.hasSuffix("[") ? "1" : begin.hasSuffix(" ") ? " " : "x"
        let text = begin + String(repeating: filler, count: 2 * TerminalFilter.maxSequence)
        let shown = filtered(Array(text.utf8))
        #expect(shown.utf8.count >= TerminalFilter.maxSequence - 8)
        #expect(shown.utf8.allSatisfy { $0 == filler.utf8.first })
    }

    @Test func dropsAttributesThatAreTooLong() {
        let text = "\u{1B}[" + String(repeating: "1;", count: 100) + "ma"
        #expect(filtered(Array(text.utf8)) == "a")
    }

    @Test func escapesJSON() {
        let json = Array("{\"a\":\"\u{9B}2J\u{7F}\u{202E}grün\\n\"}".utf8)
        #expect(
            String(decoding: printableJSON(json), as: UTF8.self)
                == #"{"a":"\u009b2J\u007f\u202egrün\n"}"#)
        #expect(printableJSON(Array("{}".utf8)) == Array("{}".utf8))
    }
}
