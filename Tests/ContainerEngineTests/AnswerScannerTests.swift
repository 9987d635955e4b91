import FoundationEssentials
import Testing

@testable import ContainerEngine

struct AnswerScannerTests {
    private struct Element: Decodable, Equatable {
        var id: String?
        var labels: [String: String]?
        var command: String?
        var mounts: [[String: String]]?

        private enum CodingKeys: String, CodingKey {
            case id = "Id"
            case labels = "Labels"
            case command = "Command"
            case mounts = "Mounts"
        }
    }

    private func elements(
        _ text: String, _ shape: AnswerScanner.Shape = .list, pieces: Int = .max
    ) throws -> [Element] {
        var scanner = AnswerScanner(shape)
        var found: [Element] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try scanner.feed(Array(rest.prefix(pieces))) {
                found.append(try JSONDecoder().decode(Element.self, from: Data($0)))
            }
            rest = rest.dropFirst(pieces)
        }
        try scanner.end()
        return found
    }

    private static let list = #"""
        [{"Id":"a,]}\"","Labels":{"x":"y","z":"{\\"},"Mounts":[{"Name":"v"},{"Labels":"no"}]},
         {"Id": "b", "Labels": null}, {"Id":"c","Labels":{}},{}]
        """#

    @Test(arguments: [1, 2, 3, 7, 1000])
    func cutsAListIntoItsElements(pieces: Int) throws {
        let expected = try JSONDecoder().decode([Element].self, from: Data(Self.list.utf8))
        #expect(try elements(Self.list, pieces: pieces) == expected)
        let volumes = #"{"Warnings":[{"Id":"w"}],"Volumes":\#(Self.list),"More":[{}]}"#
        #expect(try elements(volumes, .listUnder("Volumes"), pieces: pieces) == expected)
        #expect(
            try elements(#"{"Id":"d","Labels":{"a":"b"}}"#, .document, pieces: pieces)
                == [Element(id: "d", labels: ["a": "b"])])
    }

    @Test(arguments: ["[]", "null", " [ ] "])
    func anEmptyListHasNoElements(text: String) throws {
        #expect(try elements(text) == [])
    }

    @Test func aListThatIsMissingHasNoElements() throws {
        #expect(try elements(#"{"Volumes":null,"Warnings":[{}]}"#, .listUnder("Volumes")) == [])
    }

    @Test(arguments: ["[{", #"[{"Id":"a"#, "[{]", "]", #"{"Volumes":[{}"#, #"[{"Id":"a"}}"#])
    func whatIsCutOffOrMalformedIsAFlaw(text: String) {
        #expect(throws: AnswerScanner.Flaw.self) { try elements(text) }
    }

    private func labelled(_ labels: [(String, String)]) -> String {
        let text = labels.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
        return "[{\"Id\":\"a\",\"Labels\":{\(text)},\"Command\":\"c\"},{\"Id\":\"b\"}]"
    }

    @Test(arguments: [1 << 10, 100_000, 3 << 20])
    func leavesOutLabelsThatAreTooLarge(pieces: Int) throws {
        let huge = String(repeating: "x", count: 5 << 20)
        for position in 0...3 {
            var labels = [("a", "1"), ("org.containerz.spec", "{}"), ("z", "2")]
            labels.insert(("huge", huge), at: position)
            let found = try elements(labelled(labels), pieces: pieces)
            #expect(
                found == [
                    Element(
                        id: "a", labels: ["a": "1", "org.containerz.spec": "{}", "z": "2"],
                        command: "c"), Element(id: "b"),
                ])
        }
        #expect(
            try elements(labelled([("huge", huge)]), pieces: pieces).map(\.labels) == [[:], nil])
        #expect(
            try elements(labelled([(huge, "x"), ("a", "1")]), pieces: pieces).map(\.labels)
                == [["a": "1"], nil])
    }

    @Test func keepsTheFirstOfManyLabelsAndAllOfOurs() throws {
        let many = (0..<10_000).map { ("l\($0)", String(repeating: "x", count: 100)) }
        let own = ("org.containerz.spec", String(repeating: "s", count: 300_000))
        let found = try #require(try elements(labelled(many + [own])).first?.labels)
        #expect(found["org.containerz.spec"]?.count == 300_000)
        #expect((500..<700).contains(found.count))
        #expect(found["l0"] != nil)
    }

    @Test func keepsOurLabelsWithoutValuesThatAreTooLong() throws {
        let huge = String(repeating: "s", count: 2 << 20)
        let found = try elements(labelled([("org.containerz.spec", huge), ("a", "1")]))
        #expect(found.first?.labels == ["org.containerz.spec": "", "a": "1"])
    }

    @Test func leavesStringsEmptyThatAreTooLongAnywhereElse() throws {
        let huge = String(repeating: #"\""#, count: 1 << 20)
        let found = try elements(#"[{"Id":"a","Command":"\#(huge)"},{"Id":"b"}]"#, pieces: 65_536)
        #expect(found == [Element(id: "a", command: ""), Element(id: "b")])
    }
}
