import FoundationEssentials

/// JSON that is kept, shown or compared: on one line, keys in order, slashes as they are.
public enum CanonicalJSON {
    /// - Throws: `EncodingError`, for numbers that JSON has no words for.
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
