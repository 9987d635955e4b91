import PrintableText
import RuntimeAPI

/// The rule for names of containers, which both engines have.
public enum InstanceName {
    /// Whether an instance may go by that name. Engines take a container's id as well, and an
    /// update's two containers have names of their own: neither is what clients mean.
    public static func mayBeInstance(_ name: String) -> Bool {
        !UpdateName.isOne(name)
            && !(name.utf8.count == 64 && name.allSatisfy { $0.isASCII && $0.isHexDigit })
    }

    /// Engines say a container's name with a slash in front of it.
    static func withoutSlash(_ name: String) -> String {
        name.utf8.first == UInt8(ascii: "/") ? String(Substring(name.utf8.dropFirst())) : name
    }

    /// So that it fits into a host name and a file name.
    static let longest = 128

    static func isValid(_ name: String) -> Bool {
        guard let first = name.utf8.first, isAlphanumeric(first), name.utf8.count >= 2,
            name.utf8.count <= longest
        else { return false }
        return name.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
                || $0 == UInt8(ascii: "-")
        }
    }

    /// - Throws: `RuntimeError.invalidArgument`.
    static func check(_ name: String) throws(RuntimeError) {
        guard isValid(name) else {
            throw .invalidArgument(
                field: "instance_name",
                reason: "'\(excerpt(name))' is not 2 to \(longest) letters, digits, '_', '.' "
                    + "and '-', beginning with a letter or digit")
        }
        guard !UpdateName.isOne(name) else {
            throw .invalidArgument(
                field: "instance_name", reason: "'\(name)' is a name that updates use")
        }
    }

    /// A name for a container of this image that nobody gave one.
    static func makeUp(for image: ImageName) -> String {
        let last = image.repository.split(separator: "/").last ?? "container"
        let number = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        let padding = String(repeating: "0", count: 8 - number.count)
        return "\(last.prefix(longest - 9))-\(padding)\(number)"
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
