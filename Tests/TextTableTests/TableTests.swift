import Testing

@testable import TextTable

@Suite("Tables")
struct TableTests {
    @Test func aTableIsAlignedAndPrintsNoControlCharacters() {
        var table = Table(["A", "LONG", "C"])
        table.add(["abc", "x\u{1B}[2J", "y"])
        #expect(table.text == "A    LONG   C\nabc  x?[2J  y\n")
    }

    @Test func tablesOfSeveralDevicesAreOne() {
        var first = Table(["A", "B"])
        first.add(["abc", "x"])
        var second = Table(["A", "B"])
        second.add(["d", "y"])
        var third = Table(["A", "B"])
        third.add(["abcdef", "z"])
        var widths: [Int] = []
        let texts = [(first, "t1"), (second, "target2"), (third, "t3")].map { table, target in
            table.headed("TARGET", target).text(alignedWith: &widths)
        }
        #expect(texts[0] == "TARGET  A    B\nt1      abc  x\n")
        #expect(texts[1] == "target2  d    y\n")
        #expect(texts[2] == "t3       abcdef  z\n")
    }

    @Test func aWideCellWidensNoOtherTable() {
        var first = Table(["A", "B"])
        first.add([String(repeating: "x", count: 100_000), "y"])
        var second = Table(["A", "B"])
        second.add(["d", "y"])
        var widths: [Int] = []
        #expect(first.text(alignedWith: &widths).utf8.count > 100_000)
        #expect(second.text(alignedWith: &widths).utf8.count < 100)
        #expect(first.text(alignedWith: &widths).utf8.count > 100_000)
    }
}
