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
        fields.append(Field(name: name, value: value))
        size += name.utf8.count + value.utf8.count + Self.fieldOverhead
    }

    /// The first value under a name.
    subscript(name: String) -> String? {
        fields.first { $0.name == name }?.value
    }
}
