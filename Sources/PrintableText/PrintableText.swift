/// Text from elsewhere, on one line of a terminal: what would end the line, move the cursor or turn
/// the direction of writing is replaced.
public func printable(_ text: String, keepingTabs: Bool = false) -> String {
    // As nearly always.
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
    return String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                switch scalar {
                case "\t" where keepingTabs: scalar
                case "\t", "\n", "\r": " "
                default: scalar.controlsTerminal ? "?" : scalar
                }
            }))
}

/// What somebody sent, to be quoted in a message: likewise, and cut where it is long.
///
/// - Parameter length: the most characters to quote.
public func excerpt(_ text: String, upTo length: Int = 80) -> String {
    let scalars = text.unicodeScalars
    guard
        let end = scalars.index(scalars.startIndex, offsetBy: length, limitedBy: scalars.endIndex),
        end < scalars.endIndex
    else { return printable(text) }
    return printable(String(scalars[..<end])) + "…"
}

extension Unicode.Scalar {
    /// Whether a terminal does what it says, in place of showing it.
    public var controlsTerminal: Bool {
        switch value {
        // The controls C0 and C1; separators of lines and paragraphs; embeddings, overrides and
        // isolates of the other direction.
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
