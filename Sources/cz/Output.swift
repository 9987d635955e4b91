import JSON
import SystemIO
import TextTable

/// What a command was asked for, on standard output; of one of several devices with its name.
enum Output {
    /// A JSON object on a line, its keys in order.
    static func write(json value: some Encodable) throws {
        if let output = TargetOutput.current { return try output.write(json: value) }
        try StandardOutput.write(line(value))
    }

    /// Text, which may be a piece of a line.
    static func write(_ text: String) throws {
        if let output = TargetOutput.current { return output.write(text) }
        try StandardOutput.write(text)
    }

    static func write(_ table: Table) throws {
        if let output = TargetOutput.current { return output.write(table) }
        try StandardOutput.write(table.text)
    }

    static func line(_ value: some Encodable) throws -> [UInt8] {
        Array(try CanonicalJSON.encode(value)) + [UInt8(ascii: "\n")]
    }

    /// A list: a JSON object each, or a table.
    static func write<Element: Encodable>(
        _ list: [Element], json: Bool, _ header: [String], row: (Element) -> [String]
    ) throws {
        if json {
            for element in list { try write(json: element) }
        } else {
            var table = Table(header)
            for element in list { table.add(row(element)) }
            try write(table)
        }
    }

    /// What was removed, by its name.
    struct Removed: Encodable { var removed: String }
}
