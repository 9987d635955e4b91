import FoundationEssentials

/// JSON that programs say to each other: as ``CanonicalJSON``, but with its keys in no order, since
/// sorting them is a quarter of what long lists cost.
public enum MessageJSON {
    /// - Throws: `EncodingError`, for numbers that JSON has no words for.
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return try encoder.encode(value)
    }
}
