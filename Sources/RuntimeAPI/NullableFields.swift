extension KeyedDecodingContainer {
    /// The value, or the default where it is null or absent.
    func decode<Value: Decodable>(_ key: Key, default value: Value) throws -> Value {
        try decodeIfPresent(Value.self, forKey: key) ?? value
    }
}
