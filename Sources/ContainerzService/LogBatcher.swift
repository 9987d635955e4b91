/// Turns the bytes a container wrote into the texts of log messages: valid UTF-8 of at most
/// 64 KiB each, ending at a line's end where possible and never inside a character.
struct LogBatcher {
    /// What a message may hold: large enough for messages not to cost, and far below gRPC's
    /// limit.
    static let largestMessage = 64 << 10
    /// A character of UTF-8 has at most four bytes; one cut off at most three.
    private static let longestFragment = 3

    private var pending: [UInt8] = []

    /// How many bytes wait for more.
    var count: Int { pending.count }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        pending.append(contentsOf: bytes)
    }

    /// The next full message, nil while there is less.
    mutating func nextFull() -> String? {
        guard pending.count >= Self.largestMessage else { return nil }
        let window = pending[..<Self.largestMessage]
        let end: Int
        if let newline = window.lastIndex(of: UInt8(ascii: "\n")) {
            end = newline + 1
        } else {
            end = Self.largestMessage - Self.fragment(of: window)
        }
        return take(end)
    }

    /// Everything there is but a character that has only begun; nil when there is nothing.
    mutating func nextPartial() -> String? {
        let end = pending.count - Self.fragment(of: pending[...])
        return end == 0 ? nil : take(end)
    }

    /// What is left at the log's end.
    mutating func last() -> String? {
        pending.isEmpty ? nil : take(pending.count)
    }

    /// Each byte that is no UTF-8 becomes U+FFFD, three bytes; a message of such is cut shorter.
    private mutating func take(_ end: Int) -> String {
        var end = end
        var text = String(decoding: pending[..<end], as: UTF8.self)
        while text.utf8.count > Self.largestMessage {
            let shorter = end / 2
            end = shorter - Self.fragment(of: pending[..<shorter])
            text = String(decoding: pending[..<end], as: UTF8.self)
        }
        pending.removeFirst(end)
        return text
    }

    /// How many bytes at the end begin a character without ending it.
    private static func fragment(of bytes: ArraySlice<UInt8>) -> Int {
        for (index, byte) in bytes.suffix(longestFragment).reversed().enumerated() {
            let length =
                switch byte {
                case 0xC2...0xDF: 2
                case 0xE0...0xEF: 3
                case 0xF0...0xF4: 4
                default: 0
                }
            if length > 0 { return length > index + 1 ? index + 1 : 0 }
            // Anything but a continuation ends the search.
            guard byte & 0xC0 == 0x80 else { return 0 }
        }
        return 0
    }
}
