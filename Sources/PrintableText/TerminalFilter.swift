/// Text of others for a terminal, of many lines and in pieces as it comes: colours and other text
/// attributes (SGR, ECMA-48 section 8.3.117), tabs and line breaks pass, and everything else that
/// a terminal would act on is removed. Sequences and characters may be cut anywhere between pieces.
///
/// - A sequence that does not end is over at the end of its line, or after ``maxSequence``
///   bytes, so it hides no more than that.
/// - A carriage return becomes a line break, since text after it would overwrite the line; one
///   before a line feed is part of the line break.
/// - Embeddings, overrides and isolates of the direction of writing, and bytes that are not UTF-8,
///   become U+FFFD.
public struct TerminalFilter: Sendable {
    /// As in Williams's state machine of DEC terminals.
    private enum State {
        case ground
        case escape
        case escapeIntermediate
        case controlSequence
        /// OSC, DCS, SOS, PM or APC.
        case string(endsWithBell: Bool)
        case stringEscape
    }

    /// The longest sequence that is removed as one.
    public static let maxSequence = 4096
    /// The longest sequence of attributes that passes.
    private static let maxAttributes = 128

    private var state = State.ground
    /// Scalars of the sequence so far.
    private var sequenceLength = 0
    /// Of a control sequence, until it is too long.
    private var parameters: [UInt8] = []
    private var isAtLineStart = true
    private var hasCarriageReturn = false
    private var isStyled = false
    private var decoder = UTF8Decoder()

    public init() {}

    /// - Returns: what of the piece, and of what was kept of those before, may be written.
    public mutating func filter(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.underestimatedCount)
        for byte in bytes {
            // As nearly always.
            if case .ground = state, decoder.isEmpty, !hasCarriageReturn,
                (0x20..<0x7F).contains(byte)
            {
                output.append(byte)
                isAtLineStart = false
                continue
            }
            let (first, second) = decoder.decode(byte)
            if let first { take(first, &output) }
            if let second { take(second, &output) }
        }
        return output
    }

    /// The text is over: completes its last line break, and switches attributes off.
    public mutating func finish() -> [UInt8] {
        var output: [UInt8] = []
        if !decoder.isEmpty { take(UTF8Decoder.replacement, &output) }
        if hasCarriageReturn, !isAtLineStart { output.append(UInt8(ascii: "\n")) }
        if isStyled { output += Array("\u{1B}[0m".utf8) }
        self = TerminalFilter()
        return output
    }

    // MARK: The state machine

    private mutating func take(_ scalar: Unicode.Scalar, _ output: inout [UInt8]) {
        switch state {
        case .ground: return show(scalar, &output)
        case .escape: takeAfterEscape(scalar, &output)
        case .escapeIntermediate:
            switch scalar.value {
            case 0x20...0x2F: break
            case 0x30...0x7E: state = .ground
            default: abort(at: scalar, &output)
            }
        case .controlSequence: takeInControlSequence(scalar, &output)
        case .string(let endsWithBell):
            switch scalar.value {
            case 0x1B: state = .stringEscape
            case 0x9C, 0x18, 0x1A: state = .ground
            case 0x07 where endsWithBell: state = .ground
            case 0x0A: abort(at: scalar, &output)
            default: break
            }
        case .stringEscape:
            if scalar == "\\" {
                state = .ground
            } else {
                // It was cut off by another sequence.
                state = .escape
                return take(scalar, &output)
            }
        }
        sequenceLength += 1
        if sequenceLength > Self.maxSequence { state = .ground }
    }

    private mutating func begin(_ state: State) {
        self.state = state
        sequenceLength = 0
        parameters = []
    }

    /// What cannot be part of the sequence ends it, and is text or the begin of another one.
    private mutating func abort(at scalar: Unicode.Scalar, _ output: inout [UInt8]) {
        state = .ground
        show(scalar, &output)
    }

    private mutating func takeAfterEscape(_ scalar: Unicode.Scalar, _ output: inout [UInt8]) {
        switch scalar {
        case "[": begin(.controlSequence)
        case "]": begin(.string(endsWithBell: true))
        case "P", "X", "^", "_": begin(.string(endsWithBell: false))
        case "\u{20}"..."\u{2F}": state = .escapeIntermediate
        case "\u{30}"..."\u{7E}": state = .ground
        default: abort(at: scalar, &output)
        }
    }

    private mutating func takeInControlSequence(
        _ scalar: Unicode.Scalar, _ output: inout [UInt8]
    ) {
        switch scalar.value {
        case 0x20...0x3F:
            // One more than passes says that it is too long.
            if parameters.count <= Self.maxAttributes { parameters.append(UInt8(scalar.value)) }
        case 0x40...0x7E:
            state = .ground
            if scalar == "m" { passAttributes(&output) }
        default: abort(at: scalar, &output)
        }
    }

    private mutating func passAttributes(_ output: inout [UInt8]) {
        // Others than numbers make another function of it.
        let isPlain = parameters.allSatisfy { "0123456789;:".utf8.contains($0) }
        guard isPlain, parameters.count <= Self.maxAttributes else { return }
        let attributes = Self.withoutConcealing(parameters)
        // Nothing at all would switch all attributes off.
        guard !attributes.isEmpty || parameters.isEmpty else { return }
        isStyled = attributes.contains { "123456789".utf8.contains($0) }
        output += [0x1B, UInt8(ascii: "[")] + attributes + [UInt8(ascii: "m")]
    }

    /// Without attribute 8, which hides text that is selected and copied all the same.
    private static func withoutConcealing(_ parameters: [UInt8]) -> [UInt8] {
        var rest = parameters.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)[
            ...]
        var kept: [ArraySlice<UInt8>] = []
        while let attribute = rest.popFirst() {
            let name = attribute.prefix { $0 != UInt8(ascii: ":") }
            let number = Int(String(decoding: name, as: UTF8.self))
            if number == 8 { continue }
            guard [38, 48, 58].contains(number), attribute.count == name.count else {
                kept.append(attribute)
                continue
            }
            // The colours of 256 and of 24 bits are numbers that follow (ISO 8613-6). Of another
            // kind, its end is unknown.
            let kind = rest.first.flatMap { Int(String(decoding: $0, as: UTF8.self)) }
            let count = kind == 5 ? 2 : kind == 2 ? 4 : Int.max
            guard rest.count >= count else { continue }
            kept.append(attribute)
            kept += rest.prefix(count)
            rest = rest.dropFirst(count)
        }
        return Array(kept.joined(separator: [UInt8(ascii: ";")]))
    }

    private mutating func show(_ scalar: Unicode.Scalar, _ output: inout [UInt8]) {
        switch scalar.value {
        case 0x1B: return begin(.escape)
        case 0x9B: return begin(.controlSequence)
        case 0x9D: return begin(.string(endsWithBell: true))
        case 0x90, 0x98, 0x9E, 0x9F: return begin(.string(endsWithBell: false))
        case 0x0D: hasCarriageReturn = true
        case 0x0A: breakLine(&output)
        case 0x09: append(scalar, &output)
        case 0x2028...0x202E, 0x2066...0x2069: append(UTF8Decoder.replacement, &output)
        default: if !scalar.controlsTerminal { append(scalar, &output) }
        }
    }

    private mutating func append(_ scalar: Unicode.Scalar, _ output: inout [UInt8]) {
        if hasCarriageReturn, !isAtLineStart { breakLine(&output) }
        hasCarriageReturn = false
        isAtLineStart = false
        output += scalar.utf8
    }

    private mutating func breakLine(_ output: inout [UInt8]) {
        hasCarriageReturn = false
        isAtLineStart = true
        output.append(UInt8(ascii: "\n"))
    }
}

/// Decodes UTF-8 a byte at a time; what is none becomes U+FFFD, one for each part that could have
/// begun a character (Unicode, section 3.9).
private struct UTF8Decoder: Sendable {
    static let replacement: Unicode.Scalar = "\u{FFFD}"

    private var value: UInt32 = 0
    private var missing = 0
    /// What the next byte may be.
    private var range: ClosedRange<UInt8> = 0x80...0xBF

    var isEmpty: Bool { missing == 0 }

    /// - Returns: what the byte completes: U+FFFD for what came before it, and its own character.
    mutating func decode(_ byte: UInt8) -> (Unicode.Scalar?, Unicode.Scalar?) {
        guard missing > 0 else { return (begin(byte), nil) }
        guard range.contains(byte) else {
            missing = 0
            return (Self.replacement, begin(byte))
        }
        value = value << 6 | UInt32(byte & 0x3F)
        missing -= 1
        range = 0x80...0xBF
        return (missing == 0 ? Unicode.Scalar(value) ?? Self.replacement : nil, nil)
    }

    private mutating func begin(_ byte: UInt8) -> Unicode.Scalar? {
        range = 0x80...0xBF
        switch byte {
        case 0..<0x80: return Unicode.Scalar(byte)
        case 0xC2...0xDF: (value, missing) = (UInt32(byte & 0x1F), 1)
        case 0xE0...0xEF:
            (value, missing) = (UInt32(byte & 0x0F), 2)
            if byte == 0xE0 { range = 0xA0...0xBF }
            if byte == 0xED { range = 0x80...0x9F }
        case 0xF0...0xF4:
            (value, missing) = (UInt32(byte & 0x07), 3)
            if byte == 0xF0 { range = 0x90...0xBF }
            if byte == 0xF4 { range = 0x80...0x8F }
        default: return Self.replacement
        }
        return nil
    }
}
