import Testing

@testable import TextTable

@Suite("Tables")
struct TableTests {
    @Test func aTableIsAlignedAndPrintsNoControlCharacters() {
        var table = Table(["A", "LONG", "C"])
        table.add(["abc", "x\u{1B}[2J", "y"])
        #expect(table.text == "A    LONG   C\nabc  x?[2J  y\n")
    }
}
