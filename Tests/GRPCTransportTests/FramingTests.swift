import GRPCCore
import Testing

@testable import GRPCTransport

@Suite struct FramingTests {
    private func frame(_ body: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        let length = UInt32(body.count)
        return [flag] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + body
    }

    private func messages(
        of bytes: [UInt8], pieces: Int, limit: Int = 1 << 20
    ) throws -> [[UInt8]] {
        var deframer = MessageDeframer(limit: limit)
        var messages: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            let piece = Array(bytes[start..<min(start + pieces, bytes.count)])
            try piece.withUnsafeBytes {
                try deframer.append($0) { messages.append($0.withUnsafeBytes { Array($0) }) }
            }
        }
        #expect(!deframer.isInsideMessage)
        return messages
    }

    @Test(arguments: [1, 2, 3, 5, 6, 7, 1000])
    func messagesAreFoundHoweverTheyAreCut(pieces: Int) throws {
        let sent: [[UInt8]] = [[], [1], Array(0..<200), [], [9, 9]]
        #expect(try messages(of: sent.flatMap { frame($0) }, pieces: pieces) == sent)
    }

    @Test func aCompressedMessageWithoutEncodingIsInternal() {
        let error = #expect(throws: RPCError.self) {
            try messages(of: frame([1, 2], flag: 1), pieces: 100)
        }
        #expect(error?.code == .internalError)
    }

    @Test func aLengthOverTheLimitIsRefusedBeforeItsBytes() {
        let error = #expect(throws: RPCError.self) {
            try messages(of: [0, 0xFF, 0xFF, 0xFF, 0xFF], pieces: 5)
        }
        #expect(error?.code == .resourceExhausted)
    }

    @Test(arguments: [1, 4, 5, 6, 64])
    func whatGoesOutIsFramed(pieces: Int) {
        var buffer = OutboundMessages()
        let sent: [[UInt8]] = [[], Array(0..<100), [7], []]
        for message in sent { buffer.append(MessageBytes(message)) }
        var bytes: [UInt8] = []
        while buffer.count > 0 {
            var piece = [UInt8](repeating: 0, count: pieces)
            let count = piece.withUnsafeMutableBytes { buffer.read(into: $0) }
            bytes += piece[..<count]
        }
        #expect(bytes == sent.flatMap { frame($0) })
    }

    @Test(arguments: ["plain", "a%b", "ümlaut\n", "", "100%"])
    func statusMessagesSurviveTheirEncoding(text: String) {
        let encoded = StatusHeaders.percentEncoded(text)
        #expect(encoded.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        #expect(StatusHeaders.percentDecoded(encoded) == text)
    }

    @Test func aBrokenEscapeStaysAsItIs() {
        #expect(StatusHeaders.percentDecoded("50%, %zz %4") == "50%, %zz %4")
    }

    @Test(arguments: [[], [0], [1, 2], [1, 2, 3], Array(0...255)] as [[UInt8]])
    func base64ComesBack(bytes: [UInt8]) {
        let text = Base64.encode(bytes)
        #expect(Base64.decode(text.utf8) == bytes)
        #expect(Base64.decode(Array(text.utf8.prefix { $0 != UInt8(ascii: "=") })) == bytes)
    }

    @Test(arguments: ["a", "!!!!", "AA=A", "====", "AAAAA", "A\nAA"])
    func whatIsNotBase64IsRefused(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }
}
