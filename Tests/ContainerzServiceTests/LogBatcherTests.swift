import Testing

@testable import ContainerzService

struct LogBatcherTests {
    private func batches(_ bytes: [UInt8], by step: Int) -> [String] {
        var batcher = LogBatcher()
        var texts: [String] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(step).withUnsafeBytes { batcher.append($0) }
            rest = rest.dropFirst(step)
            while let text = batcher.nextFull() { texts.append(text) }
            if let text = batcher.nextPartial() { texts.append(text) }
        }
        while let text = batcher.last() { texts.append(text) }
        return texts
    }

    @Test(arguments: [1, 2, 3, 5, 1000])
    func charactersAreNeverCut(step: Int) {
        let text = "aé€𝄞\u{1F468}\u{200D}\u{1F469}\n𝄞"
        let texts = batches(Array(text.utf8), by: step)
        #expect(texts.joined().utf8.elementsEqual(text.utf8))
        #expect(!texts.contains { $0.unicodeScalars.contains("\u{FFFD}") })
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func invalidBytesAreReplacedAndNothingIsLost(step: Int) {
        let bytes: [UInt8] =
            [0x61, 0xFF, 0xC3, 0x28, 0xE2, 0x82, 0x62, 0xF0, 0x9F, 0x98, 0x0A, 0x80, 0xC0, 0xAF]
            + Array("€".utf8) + [0xE2]
        let expected = String(decoding: bytes, as: UTF8.self)
        let text = batches(bytes, by: step).joined()
        #expect(
            text.unicodeScalars.filter { $0 != "\u{FFFD}" }.elementsEqual("a(b\n€".unicodeScalars))
        #expect(text.utf8.elementsEqual(expected.utf8))
    }

    @Test func fullMessagesEndWithALine() {
        let line = String(repeating: "x", count: 999) + "\n"
        let bytes = Array(String(repeating: line, count: 200).utf8)
        let texts = batches(bytes, by: bytes.count)
        #expect(texts.joined().utf8.count == 200_000)
        #expect(texts.allSatisfy { $0.hasSuffix("\n") && $0.utf8.count <= 65536 })
        #expect(texts.first?.utf8.count == 65_000)
    }

    @Test func aLineLongerThanAMessageIsCutBetweenCharacters() {
        let bytes = Array("a".utf8) + Array(String(repeating: "€", count: 50_000).utf8)
        let texts = batches(bytes, by: bytes.count)
        #expect(texts.joined().utf8.elementsEqual(bytes))
        #expect(texts.allSatisfy { $0.utf8.count <= 65536 })
    }

    @Test func replacedBytesDoNotMakeAMessageLonger() {
        let bytes = [UInt8](repeating: 0xFF, count: 100_000)
        let texts = batches(bytes, by: 70_000)
        #expect(texts.allSatisfy { $0.utf8.count <= 65536 })
        #expect(texts.joined().unicodeScalars.count == 100_000)
    }
}
