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
        /// Bytes the container wrote.
        var bytes: Int64 = 0
        /// The time of the last frame.
        var time = ""
        /// How many frames had this time.
        var framesAtTime = 0
    }

    private let format: Format
    private(set) var position = Position()
    private var bytesToSkip: Int64
    private var framesToSkip: Position

    private var header: [UInt8] = []
    private var rest = 0
    private var time: [UInt8] = []
    private var isInTime = false
    private var isSkippingFrame = false

    /// Longer than any time of RFC 3339.
    private static let longestTime = 48

    var isTimed: Bool { format == .timedFrames }

    /// - Parameter position: up to where everything has been passed on already. It is found by
    ///   frames' times where they have some, else by counting.
    init(_ format: Format, from position: Position = Position()) {
        self.format = format
        self.position = position
        if format == .timedFrames {
            bytesToSkip = 0
            framesToSkip = position
            self.position.framesAtTime = 0
        } else {
            bytesToSkip = position.bytes
            framesToSkip = Position()
        }
    }

    /// Appends to `output` what the container wrote.
    ///
    /// - Throws: `RuntimeError.engineFailed` when these are no frames.
    mutating func feed(_ bytes: [UInt8], into output: inout [UInt8]) throws(RuntimeError) {
        guard format != .raw else { return pass(bytes[...], into: &output) }
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
            let written = isInTime ? try readTime(content) : content
            if !isSkippingFrame { pass(written, into: &output) }
        }
    }

    private mutating func beginFrame() throws(RuntimeError) {
        guard header[0] <= 2, header[1] == 0, header[2] == 0, header[3] == 0 else {
            throw .engineFailed(reason: "the log is not made of frames")
        }
        rest = header[4...7].reduce(0) { $0 << 8 | Int($1) }
        header.removeAll(keepingCapacity: true)
        isInTime = format == .timedFrames
        isSkippingFrame = false
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
        let text = String(decoding: time, as: UTF8.self)
        if text == position.time {
            position.framesAtTime += 1
        } else {
            position.time = text
            position.framesAtTime = 1
        }
        // The engine was asked for frames from the last time on, that time's included.
        isSkippingFrame =
            text == framesToSkip.time && position.framesAtTime <= framesToSkip.framesAtTime
        return content[(space + 1)...]
    }

    private mutating func pass(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) {
        if bytesToSkip > 0 {
            let skipped = min(bytesToSkip, Int64(bytes.count))
            bytesToSkip -= skipped
            let new = bytes.dropFirst(Int(skipped))
            if new.isEmpty { return }
            position.bytes += Int64(new.count)
            output.append(contentsOf: new)
        } else {
            position.bytes += Int64(bytes.count)
            output.append(contentsOf: bytes)
        }
    }
}
