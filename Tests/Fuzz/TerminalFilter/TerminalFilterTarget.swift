import FuzzSupport
import PrintableText

/// What is written to a terminal is the same however the log is cut, and has no sequence but
/// attributes; nothing longer than a sequence is lost.
@main struct TerminalFilterTarget: FuzzTarget {
    static func run(_ input: inout FuzzInput) {
        let pieces = input.cuts().pieces(of: input.bytes)
        let whole = filtered([input.bytes])
        requireEqual(bytes: filtered(pieces), whole, "the cuts make a difference")
        requireEqual(bytes: filtered([whole]), whole, "what was filtered is not fit for a terminal")
        requireOnlyAttributes(whole)
        requireLinesStay(input.bytes, whole)
    }

    private static func filtered(_ pieces: [[UInt8]]) -> [UInt8] {
        var filter = TerminalFilter()
        let output = pieces.flatMap { filter.filter($0) }
        return output + filter.finish()
    }

    /// By a reading of its own: ESC, `[`, numbers, `m`.
    private static func requireOnlyAttributes(_ output: [UInt8]) {
        require(String(validating: output, as: UTF8.self) != nil, "it is not UTF-8")
        var rest = String(decoding: output, as: UTF8.self).unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\n", "\t": continue
            case "\u{1B}":
                require(rest.popFirst() == "[", "another escape sequence")
                rest = rest.drop { ("0"..."9").contains($0) || $0 == ";" || $0 == ":" }
                require(rest.popFirst() == "m", "another control sequence")
            default: require(!scalar.controlsTerminal, "\(scalar.value) controls a terminal")
            }
        }
    }

    /// A line feed always comes out, so that no sequence hides another line.
    private static func requireLinesStay(_ input: [UInt8], _ output: [UInt8]) {
        let lineFeed = UInt8(ascii: "\n")
        require(
            output.count { $0 == lineFeed } >= input.count { $0 == lineFeed },
            "lines are missing")
    }
}
