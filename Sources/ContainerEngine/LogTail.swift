import SystemIO

/// The end of a log that grows, read from the engine once for everybody who follows it.
///
/// Reading waits for the slowest reader, but not for long when another waits for more: whoever is
/// far behind then, or keeps others waiting time and again, is let go, and has to read by itself.
@EventLoop
final class LogTail {
    typealias Position = LogDemultiplexer.FramePosition

    /// What was read at once.
    struct Chunk {
        fileprivate private(set) var bytes: [UInt8] = []
        /// Where its pieces end, by the number of bytes before.
        fileprivate private(set) var marks: [(end: Int, position: Position)] = []

        /// Adds a piece that ends at a position.
        mutating func append(_ piece: ArraySlice<UInt8>, _ position: Position) {
            bytes.append(contentsOf: piece)
            marks.append((bytes.count, position))
        }

        /// The memory it takes, about.
        fileprivate var size: Int { bytes.count + marks.count * 96 }
        fileprivate var end: Position? { marks.last?.position }
    }

    /// Bytes that are kept before reading waits, and those down to which readers have to come then.
    static let capacity = 128 << 10
    private static let refill = capacity / 4 * 3
    /// How long others wait for a reader, and how long it has to be for each time to count: of many
    /// who are equally fast one is always the last.
    private static let patience: Duration = .seconds(1)
    private static let shortWait: Duration = .milliseconds(250)
    /// What part of the time that passes is forgiven.
    private static let forgiveness = 4

    private var chunks: [Chunk] = []
    /// How many were there before those.
    private var dropped = 0
    private var size = 0
    private var isFull = false
    /// What is before the first of them.
    private var begin: Position
    private var ending: Result<Void, any Error>?
    private var readers: [ObjectIdentifier: Reader] = [:]
    private let room = Waiter()
    private var patienceTimer: EventLoop.Timer?
    /// Since when somebody waits for those who are behind.
    private var isAwaitedSince: ContinuousClock.Instant?
    /// Called when the last reader has gone before the log has ended.
    var onDesertion: (@EventLoop () -> Void)?

    /// - Parameter begin: from where on it will be appended to.
    init(from begin: Position) { self.begin = begin }

    // MARK: Writing

    /// Adds what came, and waits until there is room for more.
    ///
    /// - Throws: `CancellationError`.
    func append(_ chunk: Chunk) async throws {
        if chunk.bytes.isEmpty { return }
        chunks.append(chunk)
        size += chunk.size
        if size > Self.capacity { isFull = true }
        for reader in readers.values { reader.waiter.wake() }
        while true {
            trim()
            guard isFull else { return }
            watchSlowReaders()
            try await room.wait()
        }
    }

    /// There is no more.
    func end(_ ending: Result<Void, any Error>) {
        self.ending = ending
        stopWatching()
        for reader in readers.values { reader.waiter.wake() }
    }

    /// Drops what all have read, once there has to be room.
    private func trim() {
        guard isFull else { return }
        let read = readers.values.map(\.next).min() ?? .max
        var count = 0
        while size > Self.refill, count < chunks.count, dropped + count < read {
            size -= chunks[count].size
            if let end = chunks[count].end { begin = end }
            count += 1
        }
        chunks.removeFirst(count)
        dropped += count
        guard size <= Self.refill else { return }
        isFull = false
        stopWatching()
    }

    /// Lets those go, in a while, for whom somebody else has to wait.
    private func watchSlowReaders() {
        guard isFull, isAwaitedSince == nil, ending == nil, isAwaited else { return }
        isAwaitedSince = .now
        patienceTimer = EventLoop.Timer(after: Self.patience) { [weak self] in
            guard let self else { return }
            stopWatching()
            trim()
            guard isFull, isAwaited else { return }
            let limit = dropped + (chunks.count + 1) / 2
            for reader in readers.values where reader.next < limit { letGo(reader) }
            room.wake()
        }
    }

    private func stopWatching() {
        isAwaitedSince = nil
        patienceTimer?.cancel()
        patienceTimer = nil
    }

    private func letGo(_ reader: Reader) {
        readers[ObjectIdentifier(reader)] = nil
        reader.isLost = true
        reader.waiter.wake()
    }

    /// Whether somebody has read all there is and waits for more.
    private var isAwaited: Bool {
        readers.values.contains { $0.isWaiting && $0.next == dropped + chunks.count }
    }

    /// Counts how long others have waited for a reader that takes the next chunk now.
    private func charge(_ reader: Reader) {
        guard let since = isAwaitedSince else { return }
        let now = ContinuousClock.now
        guard now - since >= Self.shortWait else { return }
        let forgiven = (now - (reader.lastCharge ?? now)) / Self.forgiveness
        let delay = now - max(since, reader.lastCharge ?? since)
        reader.debt = max(.zero, reader.debt - forgiven) + delay
        reader.lastCharge = now
        if reader.debt > Self.patience { letGo(reader) }
    }

    // MARK: Reading

    /// Somebody who reads all that is kept.
    func reader() -> Reader { makeReader(at: begin, dropped, 0) }

    /// Somebody who reads on from a position.
    ///
    /// - Returns: nil when that is not, or no longer, among what is kept.
    func reader(at position: Position) -> Reader? {
        guard let (chunk, skip) = find(position) else { return nil }
        return makeReader(at: position, chunk, skip)
    }

    private func makeReader(at position: Position, _ chunk: Int, _ skip: Int) -> Reader {
        let reader = Reader(of: self, at: position, chunk, skip)
        readers[ObjectIdentifier(reader)] = reader
        return reader
    }

    /// Whether that is among what is kept.
    func contains(_ position: Position) -> Bool { find(position) != nil }

    private func find(_ position: Position) -> (chunk: Int, skip: Int)? {
        if position.isOutOfOrder { return nil }
        if position == begin { return (dropped, 0) }
        // Where the clock was set back meanwhile, this may miss a place that is there.
        guard let end = chunks.last?.end, !position.time.lexicographicallyPrecedes(begin.time),
            !end.time.lexicographicallyPrecedes(position.time)
        else { return nil }
        // Who looks is nearly there, if at all.
        for (index, chunk) in chunks.enumerated().reversed() {
            for (number, mark) in chunk.marks.enumerated().reversed()
            where mark.position.time == position.time && mark.position.number == position.number
                && !mark.position.isOutOfOrder
            {
                let end = mark.end - (mark.position.bytes - position.bytes)
                let start = number == 0 ? 0 : chunk.marks[number - 1].end
                if end > start, end <= mark.end { return (dropped + index, end) }
            }
        }
        return nil
    }

    private func leave(_ reader: Reader) {
        readers[ObjectIdentifier(reader)] = nil
        if readers.isEmpty, ending == nil { onDesertion?() }
        if !isAwaited { stopWatching() }
        room.wake()
    }

    /// One who follows.
    @EventLoop
    final class Reader {
        enum Next {
            case bytes(ArraySlice<UInt8>)
            /// The engine has ended the log.
            case end
            /// It was too slow.
            case lost
        }

        private let tail: LogTail
        fileprivate let waiter = Waiter()
        fileprivate(set) var isLost = false
        fileprivate private(set) var isWaiting = false
        /// How long others have waited for it, but for what is forgiven.
        fileprivate var debt: Duration = .zero
        fileprivate var lastCharge: ContinuousClock.Instant?
        /// Chunk that is read next.
        fileprivate var next: Int
        /// Bytes of it that were read already.
        private var skip: Int
        /// What it has read up to.
        private(set) var position: Position

        fileprivate init(of tail: LogTail, at position: Position, _ next: Int, _ skip: Int) {
            self.tail = tail
            self.position = position
            self.next = next
            self.skip = skip
        }

        /// What comes next, as soon as there is something.
        ///
        /// - Throws: what the log could not be read for, or `CancellationError`.
        func read() async throws -> Next {
            while true {
                if isLost { return .lost }
                if next < tail.dropped + tail.chunks.count {
                    let chunk = tail.chunks[next - tail.dropped]
                    let new = chunk.bytes[skip...]
                    next += 1
                    skip = 0
                    if let end = chunk.end { position = end }
                    tail.charge(self)
                    tail.room.wake()
                    if !new.isEmpty { return .bytes(new) }
                    continue
                }
                if let ending = tail.ending {
                    try ending.get()
                    return .end
                }
                isWaiting = true
                defer { isWaiting = false }
                tail.watchSlowReaders()
                try await waiter.wait()
            }
        }

        func reads(_ tail: LogTail) -> Bool { tail === self.tail }

        /// It reads no more.
        func leave() { tail.leave(self) }
    }
}
