import RuntimeAPI
import SystemIO
import Testing

@testable import ContainerEngine

@Suite(.timeLimit(.minutes(1))) @EventLoop struct LogTailTests {
    typealias Position = LogDemultiplexer.FramePosition

    private static func position(_ line: Int, bytes: Int = 0) -> Position {
        Position(time: Array("\(line)".utf8), number: 1, bytes: bytes)
    }

    /// Lines of so many bytes, each of another time; a line's bytes are its number.
    private static func chunk(_ lines: ClosedRange<Int>, of size: Int = 10) -> LogTail.Chunk {
        var chunk = LogTail.Chunk()
        for line in lines {
            chunk.append(
                Array(repeating: UInt8(line), count: size)[...], position(line, bytes: size))
        }
        return chunk
    }

    /// Everything until the end.
    private static func readAll(_ reader: LogTail.Reader) async throws -> [UInt8] {
        var all: [UInt8] = []
        while case .bytes(let bytes) = try await reader.read() { all += bytes }
        return all
    }

    private static func lines(_ lines: ClosedRange<Int>, of size: Int = 10) -> [UInt8] {
        lines.flatMap { Array(repeating: UInt8($0), count: size) }
    }

    @Test func everybodyReadsAll() async throws {
        let tail = LogTail(from: Position())
        let readers = try (1...3).map { _ in try #require(tail.reader(at: Position())) }
        async let texts = withThrowingTaskGroup(of: [UInt8].self) { group in
            for reader in readers { group.addTask { try await Self.readAll(reader) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for line in 1...5 { try await tail.append(Self.chunk(line...line)) }
        tail.end(.success(()))
        #expect(try await texts == Array(repeating: Self.lines(1...5), count: 3))
    }

    @Test func whoComesLaterBeginsWhereItIs() async throws {
        let tail = LogTail(from: Self.position(1, bytes: 10))
        try await tail.append(Self.chunk(2...4))
        try await tail.append(Self.chunk(5...6))
        #expect(!tail.contains(Position()))
        #expect(!tail.contains(Self.position(7, bytes: 10)))
        #expect(!tail.contains(Self.position(1, bytes: 5)))
        let places = [
            (Self.position(1, bytes: 10), Self.lines(2...6)),
            (Self.position(2, bytes: 10), Self.lines(3...6)),
            (Self.position(4, bytes: 10), Self.lines(5...6)),
            (Self.position(5, bytes: 10), Self.lines(6...6)),
            (Self.position(6, bytes: 10), []),
            // Within a line.
            (Self.position(3, bytes: 4), Array(Self.lines(3...6).dropFirst(4))),
            (Self.position(5, bytes: 9), Array(Self.lines(5...6).dropFirst(9))),
        ]
        let readers = try places.map { try #require(tail.reader(at: $0.0)) }
        tail.end(.success(()))
        for (reader, place) in zip(readers, places) {
            #expect(try await Self.readAll(reader) == place.1)
        }
    }

    @Test func aLineInPieces() async throws {
        let tail = LogTail(from: Position())
        for (size, end) in [(4, 4), (3, 7), (3, 10)] {
            var chunk = LogTail.Chunk()
            chunk.append(
                Array(repeating: UInt8(end), count: size)[...], Self.position(1, bytes: end))
            try await tail.append(chunk)
        }
        for (bytes, rest) in [
            (4, [7, 7, 7, 10, 10, 10]), (6, [7, 10, 10, 10]), (7, [10, 10, 10]),
        ] {
            let reader = try #require(tail.reader(at: Self.position(1, bytes: bytes)))
            guard case .bytes(let next) = try await reader.read() else {
                return #expect(Bool(false))
            }
            #expect(rest.starts(with: next.map(Int.init)))
        }
        let last = try #require(tail.reader(at: Self.position(1, bytes: 9)))
        tail.end(.success(()))
        #expect(try await Self.readAll(last) == [10])
    }

    @Test func readingWaitsForTheSlowest() async throws {
        let tail = LogTail(from: Position())
        let reader = try #require(tail.reader(at: Position()))
        let size = LogTail.capacity / 2
        let writing = EventLoop.task {
            for line in 1...9 { try await tail.append(Self.chunk(line...line, of: size)) }
            tail.end(.success(()))
        }
        // Nobody else waits for more, so it may take as long as it likes.
        try await EventLoop.sleep(for: .seconds(1.5))
        guard case .bytes(let first) = try await reader.read() else { return #expect(Bool(false)) }
        #expect(first.count == size)
        #expect(!tail.contains(Self.position(5, bytes: size)))
        #expect(try await Self.readAll(reader) == Self.lines(2...9, of: size))
        try await writing.value
    }

    @Test func whoKeepsOthersWaitingIsLetGo() async throws {
        let tail = LogTail(from: Position())
        let slow = try #require(tail.reader(at: Position()))
        let fast = try #require(tail.reader(at: Position()))
        let size = LogTail.capacity / 2
        let writing = EventLoop.task {
            for line in 1...9 { try await tail.append(Self.chunk(line...line, of: size)) }
            tail.end(.success(()))
        }
        #expect(try await Self.readAll(fast) == Self.lines(1...9, of: size))
        try await writing.value
        guard case .lost = try await slow.read() else { return #expect(Bool(false)) }
        // It goes on by itself from where it was.
        #expect(slow.position == Position())
        #expect(!tail.contains(Position()))
    }

    @Test func whoIsSlowTimeAndAgainIsLetGo() async throws {
        let tail = LogTail(from: Position())
        let slow = try #require(tail.reader(at: Position()))
        let fast = try #require(tail.reader(at: Position()))
        let size = LogTail.capacity + 1
        let writing = EventLoop.task {
            for line in 1...9 { try await tail.append(Self.chunk(line...line, of: size)) }
            tail.end(.success(()))
        }
        let reading = EventLoop.task { try await Self.readAll(fast) }
        var taken: [UInt8] = []
        while case .bytes(let bytes) = try await slow.read() {
            taken += bytes
            try await EventLoop.sleep(for: .milliseconds(600))
        }
        #expect(slow.isLost)
        #expect(!taken.isEmpty && taken.count < 9 * size)
        #expect(slow.position == Self.position(Int(try #require(taken.last)), bytes: size))
        #expect(try await reading.value == Self.lines(1...9, of: size))
        try await writing.value
    }

    @Test func whoAreEquallySlowStayTogether() async throws {
        let tail = LogTail(from: Position())
        let readers = try (1...3).map { _ in try #require(tail.reader(at: Position())) }
        let size = LogTail.capacity + 1
        let writing = EventLoop.task {
            for line in 1...3 { try await tail.append(Self.chunk(line...line, of: size)) }
            tail.end(.success(()))
        }
        let reading = readers.map { reader in
            EventLoop.task {
                var all: [UInt8] = []
                while case .bytes(let bytes) = try await reader.read() {
                    all += bytes
                    try await EventLoop.sleep(for: .milliseconds(1200))
                }
                return all
            }
        }
        for one in reading { #expect(try await one.value == Self.lines(1...3, of: size)) }
        #expect(!readers.contains { $0.isLost })
        try await writing.value
    }

    @Test func aPlaceThatIsNotTheOnlyOneIsNotFound() async throws {
        let tail = LogTail(from: Position())
        var chunk = LogTail.Chunk()
        chunk.append([1], Self.position(1, bytes: 1))
        chunk.append([2], Self.position(2, bytes: 1))
        var again = Self.position(1, bytes: 1)
        again.isOutOfOrder = true
        chunk.append([3], again)
        try await tail.append(chunk)
        #expect(tail.reader(at: again) == nil)
        let reader = try #require(tail.reader(at: Self.position(1, bytes: 1)))
        tail.end(.success(()))
        #expect(try await Self.readAll(reader) == [2, 3])
    }

    @Test func aFailureComesAfterWhatWasRead() async throws {
        let tail = LogTail(from: Position())
        let reader = try #require(tail.reader(at: Position()))
        try await tail.append(Self.chunk(1...1))
        tail.end(.failure(RuntimeError.engineFailed(reason: "gone")))
        guard case .bytes = try await reader.read() else { return #expect(Bool(false)) }
        await #expect(throws: RuntimeError.self) { try await reader.read() }
    }

    @Test func itIsNoticedWhenEverybodyHasGone() async throws {
        let tail = LogTail(from: Position())
        var desertions = 0
        tail.onDesertion = { desertions += 1 }
        let readers = try (1...2).map { _ in try #require(tail.reader(at: Position())) }
        readers[0].leave()
        #expect(desertions == 0)
        readers[1].leave()
        #expect(desertions == 1)
    }
}
