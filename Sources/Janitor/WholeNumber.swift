/// Digits alone; `Int64` would take a sign as well.
enum WholeNumber {
    static func parse(_ text: Substring) -> Int64? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? Int64(text) : nil
    }
}
