import FoundationEssentials
import PrintableText

/// JSON that is kept, shown or compared: on one line, keys in order, slashes as they are.
public enum CanonicalJSON {
    /// - Throws: `EncodingError`, for numbers that JSON has no words for.
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// Likewise, for programs to print: nothing in it is a command to a terminal.
    ///
    /// - Throws: as ``encode(_:)``.
    public static func printable(_ value: some Encodable) throws -> [UInt8] {
        printableJSON(Array(try encode(value)))
    }
}
