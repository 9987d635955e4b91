import Testing

@testable import JSON

@Suite("Reading a JSON object to its last key") struct JSONObjectReaderTests {
    private func reader(_ text: String) throws -> JSONObjectReader {
        try JSONObjectReader(parsing: Array(text.utf8))
    }

    @Test func valuesComeOnce() throws {
        var object = try reader(#"{"a": "x", "b": [1], "c": {"d": true}, "n": 1.5, "i": 2}"#)
        #expect(try object.string("a") == "x")
        #expect(try object.string("a") == nil)
        #expect(throws: JSONObjectReader.Failure("b[0] is not a string")) {
            try object.strings("b")
        }
        var inner = try #require(try object.object("c"))
        #expect(try inner.bool("d") == true)
        try inner.finish()
        #expect(try object.number("n") == 1.5)
        #expect(try object.integer("i") == 2)
        try object.finish()
    }

    @Test func keysThatNobodyTookAreNamed() throws {
        var object = try reader(#"{"rules": [{"nmae": 1}]}"#)
        let rules = try #require(try object.objects("rules"))
        #expect(throws: JSONObjectReader.Failure("rules[0].nmae is not known")) {
            try rules[0].finish()
        }
    }

    @Test func noControlCharactersInWhatIsSaid() {
        let failure = JSONObjectReader.Failure("\u{1B}[2J\n\u{7F}ü")
        #expect(failure.description == "?[2J ?ü")
    }

    @Test("A colon, a quote and a backslash in a string are text")
    func twice() throws {
        _ = try reader(#"{"a:b": ":\\", "c\"d:": "\":", "e": [{"f": {}}]}"#)
        #expect(throws: JSONObjectReader.Failure("a key is there twice")) {
            try reader(#"{"a": {"b": 1, "b": 2}}"#)
        }
    }

    @Test(arguments: ["", "[]", "7", "{", "{}x", #"{"a" 1}"#])
    func othersAreRefused(_ text: String) {
        #expect(throws: JSONObjectReader.Failure.self) { try reader(text) }
    }
}
