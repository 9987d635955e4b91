import FoundationEssentials
import Glibc
import JSON
import Logging
import PrintableText
import SystemIO

/// Writes a daemon's log messages in one of the formats.
public struct DaemonLogHandler: LogHandler {
    public var logLevel: Logger.Level = .info
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: LogFormat
    private let write: @Sendable ([UInt8]) -> Void

    /// Bytes of most records, an RPC's included.
    private static let usualLength = 512

    /// - Parameters:
    ///   - label: the program's name.
    ///   - write: takes each record; the format's own place when nil.
    public init(
        label: String, format: LogFormat, write: (@Sendable ([UInt8]) -> Void)? = nil
    ) {
        self.label = label
        self.format = format
        if let write {
            self.write = write
        } else if format == .journal, let journal = JournalSocket() {
            self.write = { journal.send($0) }
        } else {
            self.write = DaemonLogHandler.writeToStandardError
        }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let own = event.metadata ?? [:]
        var fields = metadata.isEmpty ? own : metadata.merging(own) { $1 }
        if let provided = metadataProvider?.get(), !provided.isEmpty {
            fields.merge(provided) { own, _ in own }
        }
        let pairs = fields.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        let message = "\(event.message)"
        switch format {
        case .text: write(text(event.level, message, pairs))
        case .json: write(json(event.level, message, pairs))
        case .journal: write(journal(event.level, message, pairs))
        }
    }

    private typealias Field = (key: String, value: Logger.MetadataValue)

    /// What a field says in the formats that know no lists: a list is a field for each entry.
    private static func texts(_ value: Logger.MetadataValue) -> [String] {
        switch value {
        case .array(let entries): entries.flatMap(texts)
        case .string, .stringConvertible, .dictionary: [value.description]
        }
    }

    private func text(
        _ level: Logger.Level, _ message: String, _ pairs: [Field]
    ) -> [UInt8] {
        var line = ""
        line.reserveCapacity(Self.usualLength)
        line += label
        line += ": "
        // What is usual needs no mark.
        if level != .info { line += "\(level): " }
        line += Self.escaped(message)
        for (key, value) in pairs {
            for text in Self.texts(value) {
                line += " "
                line += key
                line += "="
                line += Self.quoted(text)
            }
        }
        line += "\n"
        return Array(line.utf8)
    }

    private func json(
        _ level: Logger.Level, _ message: String, _ pairs: [Field]
    ) -> [UInt8] {
        var object = Dictionary(
            pairs.map { ($0.key, Self.json($0.value)) }, uniquingKeysWith: { $1 })
        object["time"] = .string(Date.now.formatted(Self.timeFormat))
        object["level"] = .string("\(level)")
        object["program"] = .string(label)
        object["message"] = .string(message)
        // Numbers that JSON has no words for are strings by now.
        guard let line = try? CanonicalJSON.encode(JSONValue.object(object)) else { return [] }
        return printableJSON(Array(line)) + [UInt8(ascii: "\n")]
    }

    /// RFC 3339, in UTC.
    private static let timeFormat = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): return .string(text)
        case .array(let entries): return .array(entries.map(json))
        case .dictionary(let fields): return .object(fields.mapValues(json))
        case .stringConvertible(let value):
            if let flag = value as? Bool { return .bool(flag) }
            if let number = value as? any BinaryInteger, let exact = Int64(exactly: number) {
                return .int(exact)
            }
            if let number = value as? Double, number.isFinite { return .double(number) }
            return .string(value.description)
        }
    }

    /// The journal's native protocol (systemd, "Native Journal Protocol"): a field a line, or,
    /// since a value may hold newlines, the name, a length and the value.
    private func journal(
        _ level: Logger.Level, _ message: String, _ pairs: [Field]
    ) -> [UInt8] {
        var record: [UInt8] = []
        record.reserveCapacity(Self.usualLength)
        func add(_ name: some Sequence<UInt8>, _ value: String) {
            record += name
            record.append(UInt8(ascii: "\n"))
            withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { record += $0 }
            record += value.utf8
            record.append(UInt8(ascii: "\n"))
        }
        add("MESSAGE".utf8, message)
        add("PRIORITY".utf8, "\(Self.priority(level))")
        add("SYSLOG_IDENTIFIER".utf8, label)
        for (key, value) in pairs {
            for text in Self.texts(value) { add(Self.fieldName(key), text) }
        }
        return record
    }

    /// syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// `CONTAINERZ_` and the key in upper case: the journal takes A to Z, digits and `_`.
    private static func fieldName(_ key: String) -> [UInt8] {
        "CONTAINERZ_".utf8
            + key.utf8.map { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"): byte & ~0x20
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    byte
                default: UInt8(ascii: "_")
                }
            }
    }

    private static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0...0x20, UInt8(ascii: "\""), UInt8(ascii: "="), UInt8(ascii: "\\"): false
                default: true
                }
            }
        if isPlain { return escaped(text) }
        let marked = text.unicodeScalars.map {
            ["\"", "\\"].contains($0) ? "\\\($0)" : String($0)
        }
        return "\"\(escaped(marked.joined()))\""
    }

    /// Without control characters, so that nobody can write a line of the log but the daemon.
    private static func escaped(_ text: String) -> String {
        // What needs a look at its scalars is rare.
        if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
        guard text.unicodeScalars.contains(where: \.controlsTerminal) else { return text }
        return text.unicodeScalars.map {
            switch $0 {
            case "\n": "\\n"
            case "\r": "\\r"
            case "\t": "\\t"
            case let scalar where scalar.controlsTerminal:
                "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            case let scalar: String(scalar)
            }
        }.joined()
    }

    private static let writeToStandardError: @Sendable ([UInt8]) -> Void = { bytes in
        bytes.withUnsafeBytes {
            _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count)
        }
    }
}
