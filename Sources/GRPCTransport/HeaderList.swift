/// The header fields of one HEADERS frame, in order.
struct HeaderList: Sendable {
    struct Field: Hashable, Sendable {
        var name: String
        var value: String
    }

    private(set) var fields: [Field] = []
    /// The size as SETTINGS_MAX_HEADER_LIST_SIZE counts it (RFC 9113, 6.5.2): 32 bytes more
    /// than its octets for each field.
    private(set) var size = 0

    static let fieldOverhead = 32

    init() {}

    init(_ fields: KeyValuePairs<String, String>) {
        for (name, value) in fields { append(name, value) }
    }

    mutating func append(_ name: String, _ value: String) {
        size += name.utf8.count + value.utf8.count + Self.fieldOverhead
        fields.append(Field(name: name, value: value))
    }

    /// Appends a field, or only counts it when the list would get larger than `limit`: strings are
    /// made only of what is kept. What is not UTF-8 in it becomes U+FFFD.
    mutating func append(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>, limit: Int
    ) {
        size += name.count + value.count + Self.fieldOverhead
        guard size <= limit else { return }
        fields.append(
            Field(
                name: String(decoding: name, as: UTF8.self),
                value: String(decoding: value, as: UTF8.self)))
    }

    /// The first value under a name.
    subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }
}
