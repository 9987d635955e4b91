import RuntimeAPI
import SystemIO
import Testing

@testable import ContainerEngine

struct LogDemultiplexerTests {
    private func frame(_ text: String, stream: UInt8 = 1) -> [UInt8] {
        let count = text.utf8.count
        return [stream, 0, 0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 0xFF)] + Array(text.utf8)
    }

    private func demultiplex(
        _ bytes: some Collection<UInt8>, by step: Int = .max,
        _ demultiplexer: inout LogDemultiplexer
    ) throws -> String {
        var output: [UInt8] = []
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            try demultiplexer.feed(Array(rest.prefix(step)), into: &output)
            rest = rest.dropFirst(step)
        }
        return String(decoding: output, as: UTF8.self)
    }

    @Test(arguments: [1, 2, 3, 7, 8, 9, 1000])
    func framesCutAnywhere(step: Int) throws {
        let bytes = frame("one\n") + frame("", stream: 2) + frame("two", stream: 2) + frame("\n")
        var demultiplexer = LogDemultiplexer(.frames)
        #expect(try demultiplex(bytes, by: step, &demultiplexer) == "one\ntwo\n")
        #expect(demultiplexer.position.bytes == 8)
    }

    @Test func aTerminalsOutputPassesAsItIs() throws {
        var demultiplexer = LogDemultiplexer(.raw)
        #expect(try demultiplex(Array("\u{1}\u{2}x".utf8), &demultiplexer) == "\u{1}\u{2}x")
    }

    @Test(arguments: ["hello, this is no frame", "\u{3}\0\0\0\0\0\0\u{1}x"])
    func whatIsNoFrame(text: String) {
        var demultiplexer = LogDemultiplexer(.frames)
        #expect(throws: RuntimeError.self) {
            try demultiplex(Array(text.utf8), &demultiplexer)
        }
    }

    @Test(arguments: [1, 5, 9, 1000])
    func aTimeLongerThanAnyIsNoneHoweverItIsCut(step: Int) {
        var demultiplexer = LogDemultiplexer(.timedFrames)
        #expect(throws: RuntimeError.self) {
            try demultiplex(
                frame(String(repeating: "9", count: 60) + " text"), by: step, &demultiplexer)
        }
    }

    @Test func countedBytesAreNotPassedOnAgain() throws {
        var first = LogDemultiplexer(.frames)
        #expect(try demultiplex(frame("one\n") + frame("tw"), &first) == "one\ntw")
        var second = LogDemultiplexer(.frames, from: first.position)
        let all = frame("one\n") + frame("two\n") + frame("three\n")
        #expect(try demultiplex(all, by: 3, &second) == "o\nthree\n")
        #expect(second.position.bytes == 14)
    }

    @Test(arguments: [1, 5, 9, 1000])
    func framesOfTimesAlreadySeenAreNotPassedOnAgain(step: Int) throws {
        let times = ["2026-11-24T08:54:59.006668596Z", "2026-11-24T08:54:59.006668597Z"]
        var first = LogDemultiplexer(.timedFrames)
        let seen = frame("\(times[0]) a\n") + frame("\(times[1]) b\n") + frame("\(times[1]) c\n")
        #expect(try demultiplex(seen, by: step, &first) == "a\nb\nc\n")
        #expect(first.position.frame == .init(time: Array(times[1].utf8), number: 2, bytes: 2))
        var second = LogDemultiplexer(.timedFrames, from: first.position)
        let again =
            frame("\(times[1]) b\n") + frame("\(times[1]) c\n") + frame("\(times[1]) d\n")
            + frame("2026-11-24T08:55:00.000000001Z e f\n")
        #expect(try demultiplex(again, by: step, &second) == "d\ne f\n")
    }

    /// However often it ends before there is anything new.
    @Test func nothingNewLeavesThePlaceWhereItWas() throws {
        let frames = (1...3).map { frame("2026-11-24T08:54:59.006668596Z \($0)\n") }
        var first = LogDemultiplexer(.timedFrames)
        #expect(try demultiplex(frames[0] + frames[1], &first) == "1\n2\n")
        for again in [[], frames[0], frames[0] + frames[1]] {
            var next = LogDemultiplexer(.timedFrames, from: first.position)
            #expect(try demultiplex(again, &next) == "")
            #expect(next.position == first.position)
        }
        var last = LogDemultiplexer(.timedFrames, from: first.position)
        #expect(try demultiplex(frames.flatMap(\.self), &last) == "3\n")
    }

    /// Parts of a long line have the time of the first, whatever comes between them.
    @Test(arguments: [1, 5, 9, 1000])
    func aPartOfALineAfterAnotherStreamsLine(step: Int) throws {
        let parts = [
            frame("2026-11-24T08:54:59.000000001Z begin, "),
            frame("2026-11-24T08:54:59.000000002Z error\n"),
            frame("2026-11-24T08:54:59.000000001Z end\n"),
            frame("2026-11-24T08:54:59.000000002Z next\n"),
        ]
        var first = LogDemultiplexer(.timedFrames)
        #expect(try demultiplex(parts[0], by: step, &first) == "begin, ")
        #expect(!first.position.frame.isOutOfOrder)
        var second = LogDemultiplexer(.timedFrames, from: first.position)
        #expect(
            try demultiplex(parts[0] + parts[1] + parts[2], by: step, &second) == "error\nend\n")
        #expect(second.position.frame.isOutOfOrder)
        #expect(try demultiplex(parts[3], by: step, &second) == "next\n")
        #expect(!second.position.frame.isOutOfOrder)
    }

    @Test(arguments: [1, 5, 9, 1000])
    func aFrameThatBrokeOffGoesOnWhereItDid(step: Int) throws {
        let bytes =
            frame("2026-11-24T08:54:59.006668596Z one\n")
            + frame("2026-11-24T08:54:59.006668596Z two and more\n")
        var first = LogDemultiplexer(.timedFrames)
        #expect(try demultiplex(bytes.dropLast(5), by: step, &first) == "one\ntwo and ")
        #expect(first.position.frame.number == 2 && first.position.frame.bytes == 8)
        var second = LogDemultiplexer(.timedFrames, from: first.position)
        #expect(try demultiplex(bytes, by: step, &second) == "more\n")
        #expect(second.position.frame.bytes == 13)
    }

    @Test func aFrameWithoutItsTime() {
        var demultiplexer = LogDemultiplexer(.timedFrames)
        #expect(throws: RuntimeError.self) {
            try demultiplex(frame(String(repeating: "x", count: 100)), &demultiplexer)
        }
    }

    @Test @EventLoop func timesAsTheEngineTakesThem() throws {
        for text in ["2026-11-24T08:54:59.006668596Z", "2026-11-24T10:54:59.006668596+02:00"] {
            let time = try #require(DockerEngine.unixTime(text))
            #expect(time == (1_795_510_499, "006668596"))
        }
        let whole = try #require(DockerEngine.unixTime("2026-11-24T08:54:59Z"))
        #expect(whole == (1_795_510_499, "0"))
        #expect(DockerEngine.unixTime("") == nil)
    }
}
