import RuntimeAPI

/// Takes apart the frames in which engines send logs: a byte for the stream, three of nothing,
/// four for the length, and what was written. (Docker Engine API, "Stream format".)
struct LogDemultiplexer {
    enum Format {
        /// A terminal's output, as it is.
        case raw
        case frames
        /// Each frame's content begins with a time and a space.
        case timedFrames
    }

    /// What has been passed on, to go on from there later.
    struct Position: Equatable {
        /// Bytes the container wrote; not counted where frames have times.
        var bytes: Int64 = 0
        /// The last frame that has a time.
        var frame = FramePosition()
    }

    /// How far into a log with times.
    struct FramePosition: Equatable {
        /// Of the frame; empty before the first.
        var time: [UInt8] = []
        /// Which of the frames with this time, from 1.
        var number = 0
        /// Bytes of what was written in the frame.
        var bytes = 0
        /// Whether an earlier frame has a later time, as where another stream's line stands between
        /// the parts of a long one: then several frames may have this time and number.
        var isOutOfOrder = false
    }

    private let format: Format
    /// What has been passed on in the end, what earlier streams passed on included.
    private(set) var position: Position
    private var bytesToSkip: Int64
    /// Up to where earlier streams have come; nil once something new has come.
    private var framesToSkip: FramePosition?

    private var header: [UInt8] = []
    private var rest = 0
    private var time: [UInt8] = []
    private var isInTime = false
    /// Where this stream is, whether that is passed on or not.
    private var frame: FramePosition
    private var latestTime: [UInt8]

    /// Longer than any time of RFC 3339.
    private static let longestTime = 48

    /// - Parameter position: up to where everything has been passed on already. It is found by
    ///   frames' times where they have some, else by counting.
    init(_ format: Format, from position: Position = Position()) {
        self.format = format
        self.position = position
        framesToSkip = position.frame
        frame = FramePosition(time: position.frame.time)
        latestTime = position.frame.time
        bytesToSkip = format == .timedFrames ? 0 : position.bytes
    }

    /// Hands over what the container wrote, piece by piece, each with the position after it.
    ///
    /// - Throws: `RuntimeError.engineFailed` when these are no frames.
    mutating func feed(
        _ bytes: [UInt8], _ output: (ArraySlice<UInt8>, Position) -> Void
    ) throws(RuntimeError) {
        guard format != .raw else { return pass(bytes[...], output) }
        var bytes = bytes[...]
        while !bytes.isEmpty {
            if rest == 0 {
                let missing = 8 - header.count
                header.append(contentsOf: bytes.prefix(missing))
                bytes = bytes.dropFirst(missing)
                if header.count == 8 { try beginFrame() }
                continue
            }
            let content = bytes.prefix(rest)
            bytes = bytes.dropFirst(content.count)
            rest -= content.count
            switch format {
            case .raw, .frames: pass(content, output)
            case .timedFrames:
                passTimed(isInTime ? try readTime(content) : content, output)
            }
        }
    }

    /// Appends to `written` what the container wrote.
    ///
    /// - Throws: `RuntimeError.engineFailed` when these are no frames.
    mutating func feed(
        _ bytes: [UInt8], into written: inout [UInt8]
    ) throws(RuntimeError) {
        try feed(bytes) { piece, _ in written.append(contentsOf: piece) }
    }

    private mutating func beginFrame() throws(RuntimeError) {
        guard header[0] <= 2, header[1] == 0, header[2] == 0, header[3] == 0 else {
            throw .engineFailed(reason: "the log is not made of frames")
        }
        rest = header[4...7].reduce(0) { $0 << 8 | Int($1) }
        header.removeAll(keepingCapacity: true)
        isInTime = format == .timedFrames
        time.removeAll(keepingCapacity: true)
    }

    /// Takes the time off the front of a frame and returns what follows.
    private mutating func readTime(
        _ content: ArraySlice<UInt8>
    ) throws(RuntimeError) -> ArraySlice<UInt8> {
        // No further, or it would depend on where the stream was cut what passes for a time.
        let window = content.prefix(Self.longestTime + 1 - time.count)
        guard let space = window.firstIndex(of: UInt8(ascii: " ")) else {
            time.append(contentsOf: window)
            guard time.count <= Self.longestTime, rest > 0 else {
                throw .engineFailed(reason: "a frame of the log has no time")
            }
            return []
        }
        time.append(contentsOf: content[..<space])
        isInTime = false
        if time == frame.time {
            frame.number += 1
            frame.bytes = 0
        } else {
            frame = FramePosition(time: time, number: 1)
            frame.isOutOfOrder = time.lexicographicallyPrecedes(latestTime)
            if !frame.isOutOfOrder { latestTime = time }
        }
        return content[(space + 1)...]
    }

    /// The engine was asked for frames from the last time on, that time's included.
    private mutating func passTimed(
        _ bytes: ArraySlice<UInt8>, _ output: (ArraySlice<UInt8>, Position) -> Void
    ) {
        if bytes.isEmpty { return }
        var new = bytes
        if let skip = framesToSkip, frame.time == skip.time, frame.number <= skip.number {
            guard frame.number == skip.number else { return }
            new = bytes.dropFirst(max(0, skip.bytes - frame.bytes))
        }
        frame.bytes += bytes.count
        if new.isEmpty { return }
        framesToSkip = nil
        position.frame = frame
        output(new, position)
    }

    private mutating func pass(
        _ bytes: ArraySlice<UInt8>, _ output: (ArraySlice<UInt8>, Position) -> Void
    ) {
        let new = bytes.dropFirst(Int(clamping: bytesToSkip))
        bytesToSkip -= Int64(bytes.count - new.count)
        if new.isEmpty { return }
        position.bytes += Int64(new.count)
        output(new, position)
    }
}
