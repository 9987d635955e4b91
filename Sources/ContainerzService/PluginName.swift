/// The name of a plugin's tarball on the device: one that is a file's name and cannot be a path.
struct PluginName: Hashable, Sendable, CustomStringConvertible {
    let description: String

    static let longest = 128

    /// - Throws: ``RequestError``.
    init(_ text: String, field: String) throws(RequestError) {
        let isValid =
            text.utf8.count <= Self.longest && text.utf8.first.map(Self.isAlphanumeric) ?? false
            && text.utf8.allSatisfy {
                Self.isAlphanumeric($0) || [UInt8(ascii: "-"), UInt8(ascii: "_")].contains($0)
                    || $0 == UInt8(ascii: ".")
            }
        guard isValid else {
            throw RequestError(
                field,
                "a plugin's name is 1 to \(Self.longest) letters, digits, '.', '_' and '-', "
                    + "beginning with a letter or digit")
        }
        description = text
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
