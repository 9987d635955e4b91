/// Text from elsewhere, on one line of a terminal: what would end the line, move the cursor or turn
/// the direction of writing is replaced.
public func printable(_ text: String, keepingTabs: Bool = false) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { scalar in
                if scalar == "\t", keepingTabs { return scalar }
                switch scalar.value {
                case 0x09, 0x0A, 0x0D: return " "
                // The controls C0 and C1; separators of lines and paragraphs; embeddings, overrides
                // and isolates of the other direction.
                case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: return "?"
                default: return scalar
                }
            }))
}
