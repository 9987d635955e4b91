import FoundationEssentials
import Logging
import Synchronization
import Testing

@testable import Daemon

@Suite struct DaemonLogHandlerTests {
    /// Takes what is written.
    private final class Sink: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private static func written(
        _ format: LogFormat, _ message: Logger.Message, _ metadata: Logger.Metadata = [:],
        at level: Logger.Level = .info, common: Logger.Metadata = [:]
    ) -> [UInt8] {
        let sink = Sink()
        var handler = DaemonLogHandler(label: "daemon", format: format) { record in
            sink.bytes.withLock { $0 += record }
        }
        handler.metadata = common
        Logger(label: "daemon") { _ in handler }.log(level: level, message, metadata: metadata)
        return sink.bytes.withLock(\.self)
    }

    private static func line(_ value: String) -> String {
        String(decoding: written(.text, "m", ["key": "\(value)"]), as: UTF8.self)
    }

    @Test func aLineForPeople() {
        let line = Self.written(
            .text, "it happened", ["b": "2", "a": "of its own"], at: .warning,
            common: ["a": "of all", "c": "3"])
        #expect(
            String(decoding: line, as: UTF8.self)
                == "daemon: warning: it happened a=\"of its own\" b=2 c=3\n")
    }

    @Test(arguments: [
        ("plain", "plain"), ("", "\"\""), ("two words", "\"two words\""), ("a=b", "\"a=b\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""), ("c:\\d", "\"c:\\\\d\""), ("größe", "größe"),
        ("日本", "日本"),
    ])
    func aValueThatCouldBeMistakenIsQuoted(value: String, shown: String) {
        #expect(Self.line(value) == "daemon: m key=\(shown)\n")
    }

    /// Nobody but the daemon begins a line, moves the cursor or hides what is there.
    @Test(arguments: [
        ("a\nb", "\"a\\nb\""), ("a\r\tb", "\"a\\r\\tb\""), ("\u{1B}[2J", "\"\\x1b[2J\""),
        ("a\u{202E}b", "a\\x202eb"),
        ("\u{0}", "\"\\x00\""), ("a\u{7F}", "a\\x7f"), ("a\u{85}b", "a\\x85b"),
        ("\u{2028}", "\\x2028"), ("é\u{2029}", "é\\x2029"),
    ])
    func nothingThatIsNotSeen(value: String, shown: String) {
        #expect(Self.line(value) == "daemon: m key=\(shown)\n")
        let message = Self.written(.text, "\(value)")
        #expect(message.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        #expect(!message.dropLast().contains { $0 < 0x20 || $0 == 0x7F })
    }

    @Test func anObjectALine() throws {
        let bytes = Self.written(
            .json, "a\n\"b\"", ["key": "v\u{1B}", "level": "mine"], at: .error)
        #expect(bytes.last == UInt8(ascii: "\n"))
        #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1)
        let object = try JSONDecoder().decode([String: String].self, from: Data(bytes))
        #expect(object["message"] == "a\n\"b\"")
        #expect(object["key"] == "v\u{1B}")
        #expect(object["level"] == "error")
        #expect(object["program"] == "daemon")
        #expect(object["time"] != nil)
    }

    @Test func writesNumbersAndListsAsSuch() throws {
        let fields: Logger.Metadata = [
            "count": .stringConvertible(3), "large": .stringConvertible(UInt64.max),
            "ratio": .stringConvertible(1.5), "none": .stringConvertible(Double.nan),
            "flag": .stringConvertible(true), "text": "4",
            "list": .array(["a b", "c\nd"]), "empty": .array([]),
        ]
        struct Line: Decodable {
            var count: Int
            var large: String
            var ratio: Double
            var none: String
            var flag: Bool
            var text: String
            var list: [String]
            var empty: [String]
            var time: String
        }
        let line = try JSONDecoder().decode(
            Line.self, from: Data(Self.written(.json, "m", fields)))
        #expect(line.count == 3 && line.ratio == 1.5 && line.flag && line.text == "4")
        #expect(line.large == "18446744073709551615" && line.none == "nan")
        #expect(line.list == ["a b", "c\nd"] && line.empty == [])
        // RFC 3339: a date, a time and a zone.
        let now = Date.now.timeIntervalSince1970
        let time = try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(line.time)
        #expect((now - 60...now + 60).contains(time.timeIntervalSince1970))
        #expect(line.time.hasSuffix("Z") && line.time.contains("T") && line.time.count == 24)

        let text = String(decoding: Self.written(.text, "m", fields), as: UTF8.self)
        #expect(
            text == #"daemon: m count=3 flag=true large=18446744073709551615 list="a b" "#
                + #"list="c\nd" none=nan ratio=1.5 text=4"# + "\n")
        let journal = String(decoding: Self.written(.journal, "m", fields), as: UTF8.self)
        #expect(journal.split(separator: "CONTAINERZ_LIST\n").count == 3)
        #expect(journal.contains("c\nd") && !journal.contains("CONTAINERZ_EMPTY"))
    }

    /// A name, a newline, the length in 8 bytes, the least first, the value and a newline.
    @Test func theJournalsFields() {
        let record = Self.written(
            .journal, "a\nb", ["duration_ms": "1", "Größe.2": "x"], at: .notice)
        func field(_ name: String, _ value: String) -> [UInt8] {
            [UInt8](name.utf8) + [10, UInt8(value.utf8.count)] + Array(repeating: 0, count: 7)
                + value.utf8 + [10]
        }
        let fields = [
            ("MESSAGE", "a\nb"), ("PRIORITY", "5"), ("SYSLOG_IDENTIFIER", "daemon"),
            ("CONTAINERZ_GR____E_2", "x"), ("CONTAINERZ_DURATION_MS", "1"),
        ]
        #expect(record == fields.flatMap(field))
    }
}
