import FoundationEssentials
import SystemIO

/// What a command was asked for, on standard output.
enum Output {
    /// A JSON object on a line, its keys in order.
    static func write(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try StandardOutput.write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
    }
}
