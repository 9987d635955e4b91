import PrintableText

/// Reads a JSON object to the last key: what nobody asked for is an error, so that a misspelt key
/// in a policy does not pass for one that is not there.
///
/// Messages say where they are: `allow_rules[1].request.paths`.
public struct JSONObjectReader {
    /// What is wrong, and where.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var description: String

        /// What it quotes of the text may hold anything, and terminals obey some of it.
        public init(_ description: String) {
            self.description = printable(description)
        }
    }

    /// Where in the document this object is; empty at the top.
    public let path: String
    private var rest: [String: JSONValue]

    /// - Throws: ``Failure`` when the text is no JSON object.
    public init(parsing text: [UInt8]) throws(Failure) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: String(decoding: text, as: UTF8.self))
        } catch {
            throw Failure("it is not JSON")
        }
        guard Self.colons(in: text) == value.members else {
            throw Failure("a key is there twice")
        }
        try self.init(value, at: "")
    }

    /// The colons outside strings, one for each key: the decoder drops one of two equal keys in
    /// silence, and with it perhaps a rule.
    ///
    /// - Parameter text: sound JSON.
    private static func colons(in text: [UInt8]) -> Int {
        var count = 0
        var isInString = false
        var isEscaped = false
        for byte in text {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString.toggle()
            } else if byte == UInt8(ascii: ":"), !isInString {
                count += 1
            }
        }
        return count
    }

    /// - Throws: ``Failure`` when the value is no object.
    public init(_ value: JSONValue, at path: String) throws(Failure) {
        guard case .object(let fields) = value else {
            throw Failure(path.isEmpty ? "it is not a JSON object" : "\(path) is not an object")
        }
        self.path = path
        rest = fields
    }

    /// A failure at a key of this object.
    public func failure(_ key: String, _ reason: String) -> Failure {
        Failure("\(place(key)) \(reason)")
    }

    /// The value of a key, once; nil when it is not there.
    public mutating func take(_ key: String) -> JSONValue? {
        rest.removeValue(forKey: key)
    }

    /// The text of a key, once; nil when it is not there.
    public mutating func string(_ key: String) throws(Failure) -> String? {
        switch take(key) {
        case nil: nil
        case .string(let text): text
        default: throw failure(key, "is not a string")
        }
    }

    /// The truth value of a key, once; nil when it is not there.
    public mutating func bool(_ key: String) throws(Failure) -> Bool? {
        switch take(key) {
        case nil: nil
        case .bool(let value): value
        default: throw failure(key, "is neither true nor false")
        }
    }

    /// The integer of a key, once; nil when it is not there.
    public mutating func integer(_ key: String) throws(Failure) -> Int64? {
        switch take(key) {
        case nil: nil
        case .int(let value): value
        default: throw failure(key, "is not an integer")
        }
    }

    /// The number of a key, once; nil when it is not there.
    public mutating func number(_ key: String) throws(Failure) -> Double? {
        switch take(key) {
        case nil: nil
        case .int(let value): Double(value)
        case .double(let value): value
        default: throw failure(key, "is not a number")
        }
    }

    /// The list of texts of a key, once; nil when it is not there.
    public mutating func strings(_ key: String) throws(Failure) -> [String]? {
        guard let value = take(key) else { return nil }
        guard case .array(let elements) = value else { throw failure(key, "is not a list") }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                throw failure("\(key)[\(index)]", "is not a string")
            }
            texts.append(text)
        }
        return texts
    }

    /// A reader of the object of a key, once; nil when it is not there.
    public mutating func object(_ key: String) throws(Failure) -> JSONObjectReader? {
        guard let value = take(key) else { return nil }
        return try JSONObjectReader(value, at: place(key))
    }

    /// The fields of an object whose keys are data.
    public mutating func fields(_ key: String) throws(Failure) -> [String: JSONValue]? {
        switch take(key) {
        case nil: nil
        case .object(let fields): fields
        default: throw failure(key, "is not an object")
        }
    }

    /// Readers of the list of objects of a key, once; nil when it is not there.
    public mutating func objects(_ key: String) throws(Failure) -> [JSONObjectReader]? {
        guard let value = take(key) else { return nil }
        guard case .array(let elements) = value else { throw failure(key, "is not a list") }
        var readers: [JSONObjectReader] = []
        for (index, element) in elements.enumerated() {
            readers.append(try JSONObjectReader(element, at: place("\(key)[\(index)]")))
        }
        return readers
    }

    /// - Throws: ``Failure`` when keys are left that nobody took.
    public func finish() throws(Failure) {
        if let key = rest.keys.min() { throw failure(key, "is not known") }
    }

    private func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

extension JSONValue {
    /// The keys of all objects in it.
    fileprivate var members: Int {
        switch self {
        case .object(let fields): fields.values.reduce(fields.count) { $0 + $1.members }
        case .array(let elements): elements.reduce(0) { $0 + $1.members }
        case .null, .bool, .int, .double, .string: 0
        }
    }
}
