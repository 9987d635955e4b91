import JSON
import PrintableText
import SystemIO
import TextTable

/// What a command was asked for, on standard output; of one of several devices with its name.
enum Output {
    /// A JSON object on a line, its keys in order.
    static func write(json value: some Encodable) throws {
        if let output = TargetOutput.current { return try output.write(json: value) }
        try StandardOutput.write(line(value))
    }

    /// A line, which may quote the device.
    static func write(line text: String) throws {
        let line = printable(text) + "\n"
        if let output = TargetOutput.current { return output.write(line) }
        try StandardOutput.write(line)
    }

    /// Text of a container, which may be a piece of a line, as it came. Of one of several devices
    /// it is made printable, unless it is raw.
    static func write(_ text: String, isRaw: Bool) throws {
        if let output = TargetOutput.current { return output.write(text, isRaw: isRaw) }
        try StandardOutput.write(text)
    }

    static func write(_ table: Table) throws {
        if let output = TargetOutput.current { return output.write(table) }
        try StandardOutput.write(table.text)
    }

    static func line(_ value: some Encodable) throws -> [UInt8] {
        try CanonicalJSON.printable(value) + [UInt8(ascii: "\n")]
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
