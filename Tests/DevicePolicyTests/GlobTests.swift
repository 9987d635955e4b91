import Testing

@testable import DevicePolicy

struct GlobTests {
    @Test(arguments: [
        ("", "", true), ("", "a", false), ("a", "a", true), ("a", "ab", false), ("*", "", true),
        ("*", "a/b", true), ("a*", "a", true), ("a*", "ab", true), ("a*", "ba", false),
        ("*a", "ba", true), ("*a", "ab", false), ("a*a", "a", false), ("a*a", "aa", true),
        ("a*b*c", "abc", true), ("a*b*c", "aXbYc", true), ("a*b*c", "acb", false),
        ("**a**", "xay", true), ("*ab*ab*", "abXab", true), ("*ab*ab*", "aab", false),
        ("*aab", "aaab", true), ("a*bc*bc", "abcbc", true), ("a*bc*bc", "abc", false),
        ("é*", "éa", true), ("*ü", "\u{FC}", true),
    ])
    func stars(pattern: String, text: String, isMatch: Bool) {
        #expect(Glob(pattern).matches(text) == isMatch)
    }

    /// What matches by definition: a star takes nothing, or a byte and goes on.
    private func matches(_ pattern: ArraySlice<UInt8>, _ text: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        if first == UInt8(ascii: "*") {
            return matches(pattern.dropFirst(), text)
                || (!text.isEmpty && matches(pattern, text.dropFirst()))
        }
        return text.first == first && matches(pattern.dropFirst(), text.dropFirst())
    }

    @Test func agreesWithTheDefinition() {
        func texts(_ letters: [String], upTo length: Int) -> [String] {
            length == 0
                ? [""]
                : [""]
                    + texts(letters, upTo: length - 1).flatMap { text in letters.map { text + $0 } }
        }
        let all = Set(texts(["a", "b"], upTo: 5))
        for pattern in Set(texts(["a", "b", "*"], upTo: 5)) {
            let glob = Glob(pattern)
            for text in all {
                #expect(
                    glob.matches(text) == matches(Array(pattern.utf8)[...], Array(text.utf8)[...]),
                    "\(pattern) \(text)")
            }
        }
    }

    /// A second for what backtracking would take weeks for.
    @Test(.timeLimit(.minutes(1))) func takesLinearTime() {
        let text = String(repeating: "a", count: 100_000)
        let piece = String(repeating: "a", count: 50) + "b"
        let pattern = String(repeating: "*" + piece, count: 1000) + "*"
        #expect(!Glob(pattern).matches(text))
        #expect(!Glob(String(repeating: "*a", count: 50_000) + "*b").matches(text))
    }
}
