import FoundationEssentials
import SystemIO
import Testing

@testable import Varlink

@Suite struct MessageBufferTests {
    private func feed(
        _ buffer: inout MessageBuffer, _ text: String, _ passed: PassedDescriptors? = nil
    ) {
        var bytes = Array(text.utf8)[...]
        var passed = passed
        repeat {
            buffer.fill { room in
                let part = bytes.prefix(room.count)
                room.copyBytes(from: part)
                bytes = bytes.dropFirst(part.count)
                defer { passed = nil }
                return (part.count, passed)
            }
        } while !bytes.isEmpty
    }

    private func texts(_ buffer: inout MessageBuffer) throws -> [String] {
        var texts: [String] = []
        while let message = try buffer.next() {
            texts.append(String(decoding: message.bytes, as: UTF8.self))
        }
        return texts
    }

    @Test func messagesEndAtTheirNUL() throws {
        var buffer = MessageBuffer()
        feed(&buffer, "one\0two\0thr")
        #expect(try texts(&buffer) == ["one", "two"])
        feed(&buffer, "ee\0")
        #expect(try texts(&buffer) == ["three"])
        #expect(buffer.count == 0)
    }

    @Test(arguments: [1, 7, 4095, 4096, 4097, 100_000])
    func aMessageMayComeInAnyPieces(length: Int) throws {
        var buffer = MessageBuffer()
        let text = String(repeating: "x", count: length)
        for _ in 0..<3 {
            for character in text.utf8.prefix(20) {
                feed(&buffer, String(UnicodeScalar(character)))
            }
            feed(&buffer, String(text.dropFirst(20)) + "\0y")
            #expect(try buffer.next()?.bytes.count == length)
            #expect(try buffer.next() == nil)
            feed(&buffer, "\0")
            #expect(try texts(&buffer) == ["y"])
        }
    }

    @Test func aMessageBeyondTheLimitIsRefusedBeforeItsEnd() throws {
        var buffer = MessageBuffer(limit: 10)
        feed(&buffer, "0123456789\0")
        #expect(try texts(&buffer) == ["0123456789"])
        feed(&buffer, "01234567890")
        #expect(throws: ProtocolViolation.messageTooLong) { try buffer.next() }
    }

    @Test func descriptorsBelongToTheMessageTheyArriveWith() throws {
        var buffer = MessageBuffer()
        let pipe = try Descriptor.pipe()
        let passed = PassedDescriptors(try Descriptor.duplicate(of: pipe.read.number))
        feed(&buffer, "first\0second, unfin", passed)
        feed(&buffer, "ished\0third\0")
        #expect(try buffer.next()?.descriptors == nil)
        #expect(try buffer.next()?.descriptors?.count == 1)
        #expect(try buffer.next()?.descriptors == nil)
        #expect(buffer.waitingDescriptors == 0)
    }
}
