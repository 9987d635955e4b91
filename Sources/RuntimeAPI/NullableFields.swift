extension KeyedDecodingContainer {
    /// The value, or the default where it is null or absent.
    func decode<Value: Decodable>(_ key: Key, default value: Value) throws -> Value {
        try decodeIfPresent(Value.self, forKey: key) ?? value
    }
}

extension KeyedEncodingContainer {
    /// The value, but where it is the default, which whoever reads takes for what is absent.
    mutating func encode<Value: Encodable & Equatable>(
        _ key: Key, _ value: Value, unless usual: Value
    ) throws {
        if value != usual { try encode(value, forKey: key) }
    }
}
