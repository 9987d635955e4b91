import JSON
import SystemIO

/// What a command was asked for, on standard output.
enum Output {
    /// A JSON object on a line, its keys in order.
    static func write(json value: some Encodable) throws {
        try StandardOutput.write(
            Array(try CanonicalJSON.encode(value)) + [UInt8(ascii: "\n")])
    }
}
