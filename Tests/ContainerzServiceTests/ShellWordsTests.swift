import Testing

@testable import ContainerzService

struct ShellWordsTests {
    @Test(
        arguments: [
            ("", []), ("  \t\n ", []), ("a", ["a"]), (" a  b\tc\n", ["a", "b", "c"]),
            ("'a b' c", ["a b", "c"]), (#""a b" c"#, ["a b", "c"]), (#"a\ b"#, ["a b"]),
            ("''", [""]), (#"a''b"#, ["ab"]), (#"'a'"b"c"#, ["abc"]), (#"'\'"#, [#"\"#]),
            (#""\"\\\$\`""#, [#""\$`"#]), (#""\n""#, [#"\n"#]), ("a\\\nb", ["ab"]),
            ("\"a\\\nb\"", ["ab"]), (#"$HOME *"#, ["$HOME", "*"]),
            ("'é€' \u{1F600}", ["é€", "\u{1F600}"]),
            ("sh -c 'trap : TERM; sleep 1'", ["sh", "-c", "trap : TERM; sleep 1"]),
        ] as [(String, [String])])
    func words(text: String, words: [String]) throws {
        #expect(try ShellWords.split(text) == words)
    }

    @Test(arguments: ["'a", "\"a", "a\\", "\"a\\", "'a' \"b"])
    func whatIsNotClosed(text: String) {
        #expect(throws: RequestError.self) { try ShellWords.split(text) }
    }
}
