import Glibc
import PrintableText
import SystemIO

/// A file that lists devices, one a line:
///
///     HOST[:PORT] [name=NAME] [server-name=NAME] [KEY=VALUE]...   # a comment
public struct TargetsFile: Sendable {
    /// The devices, and the line of each.
    public private(set) var entries: [(member: FleetMember, line: Int)] = []

    /// More than a hundred thousand devices with labels; what is larger is another file.
    private static let largestSize = 16 << 20

    /// - Parameters:
    ///   - path: may be a pipe as well.
    ///   - defaultPort: of addresses without one.
    /// - Throws: ``FleetError``.
    public init(path: String, defaultPort: UInt16) throws(FleetError) {
        let text: [UInt8]
        do throws(SystemError) {
            text = try Self.read(path)
        } catch {
            throw FleetError("\(path): \(error.reason)")
        }
        try self.init(text, named: path, defaultPort: defaultPort)
    }

    /// - Parameter path: for messages.
    /// - Throws: ``FleetError`` with the file and the line.
    public init(_ text: [UInt8], named path: String, defaultPort: UInt16) throws(FleetError) {
        var text = text[...]
        if text.starts(with: Self.byteOrderMark) { text.removeFirst(Self.byteOrderMark.count) }
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let words = Self.words(line)
            guard !words.isEmpty else { continue }
            do throws(FleetError) {
                entries.append((try Self.member(words, defaultPort), index + 1))
            } catch {
                throw FleetError("\(path):\(index + 1): \(error)")
            }
        }
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The words before a comment; carriage returns are blanks.
    private static func words(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        let words = line.split { byte in
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
        }
        return Array(words.prefix { $0.first != UInt8(ascii: "#") })
    }

    private static func member(
        _ words: [ArraySlice<UInt8>], _ defaultPort: UInt16
    ) throws(FleetError) -> FleetMember {
        let address = try text(words.first ?? [])
        // A mark behind a colon would hide it.
        guard address.utf8.allSatisfy({ $0 < 0x80 }) || address.utf8.starts(with: "unix:".utf8)
        else { throw FleetError("'\(address)' is not an address: it is not ASCII") }
        var member = try FleetMember(parsing: address, defaultPort: defaultPort)
        var isNamed = false
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: UInt8(ascii: "=")), equals > word.startIndex
            else { throw FleetError("'\(try text(word))' is not KEY=VALUE") }
            let key = try text(word[..<equals])
            let value = try text(word[(equals + 1)...])
            switch key {
            case "name", "server-name":
                guard !value.isEmpty else { throw FleetError("\(key)= is empty") }
                guard key == "name" ? !isNamed : member.serverName == nil else {
                    throw FleetError("\(key)= is there twice")
                }
                if key == "name" {
                    member.name = value
                    isNamed = true
                } else {
                    member.serverName = value
                }
            default:
                guard member.labels.updateValue(value, forKey: key) == nil else {
                    throw FleetError("the label \(key) is there twice")
                }
            }
        }
        return member
    }

    /// - Throws: ``FleetError`` for what would not be shown as it is.
    private static func text(_ word: ArraySlice<UInt8>) throws(FleetError) -> String {
        guard let text = String(validating: word, as: UTF8.self) else {
            throw FleetError("it is not UTF-8")
        }
        guard !text.unicodeScalars.contains(where: \.controlsTerminal) else {
            throw FleetError("there is a control character")
        }
        return text
    }

    private static func read(_ path: String) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        return try file.readToEnd(atMost: largestSize, of: path)
    }
}
