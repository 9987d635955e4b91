/// The file name of a Debian package: `NAME_VERSION_ARCHITECTURE.deb`. What is really in the file is
/// for the program to tell that checks it.
public struct PackageFile: Hashable, Sendable, CustomStringConvertible {
    /// The whole file name.
    public let description: String
    /// The package's name.
    public let name: String

    private static let suffix = ".deb"
    private static let longest = 128

    /// - Returns: nil for what is no such name, or is not plain ASCII.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.longest, text.hasSuffix(Self.suffix) else { return nil }
        let parts = bytes.dropLast(Self.suffix.utf8.count).split(
            separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }),
            parts[0].allSatisfy({ Self.isLower($0) || Self.isDigit($0) || Self.isSign($0) }),
            parts[0].first.map(Self.isLower) == true,
            parts[1].allSatisfy({ Self.isVersion($0) }),
            parts[2].allSatisfy({ Self.isLower($0) || Self.isDigit($0) })
        else { return nil }
        description = text
        name = String(decoding: parts[0], as: UTF8.self)
    }

    private static func isLower(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isSign(_ byte: UInt8) -> Bool { "+-.".utf8.contains(byte) }

    private static func isVersion(_ byte: UInt8) -> Bool {
        isLower(byte) || isDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || ".+:~-".utf8.contains(byte)
    }
}
