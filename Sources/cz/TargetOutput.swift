import ContainerzClient
import Fleet
import PrintableText
import Synchronization
import TextTable

/// What is said by and about one of several devices. Data is written at once, under its name;
/// messages are kept for the one line that tells its end.
final class TargetOutput: Sendable {
    /// Of the device that the current task works on; nil when it is the only one.
    @TaskLocal static var current: TargetOutput?

    private struct State {
        /// The end of the data, which is no whole line yet.
        var line: [UInt8] = []
        var messages: [String] = []
        var isLost = false
    }

    private let command: String
    private let name: String
    private let output: FleetOutput
    private let state = Mutex(State())

    /// A line beyond this is written in pieces.
    private static let longestLine = 64 << 10
    private static let longestComplaint = 4 << 10

    init(_ command: String, _ endpoint: Connection.Endpoint, _ output: FleetOutput) {
        self.command = command
        name = endpoint.member.name
        self.output = output
    }

    /// - Parameter isRaw: whether a terminal may act on it.
    func write(_ text: String, isRaw: Bool = false) {
        state.withLock { state in
            // What a device says must not look like another one's line.
            state.line.append(contentsOf: (isRaw ? text : Self.lines(text)).utf8)
            var rest = state.line[...]
            var lines: [UInt8] = []
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines += prefix + rest[...end]
                rest = rest[(end + 1)...]
            }
            if rest.count > Self.longestLine {
                lines += prefix + rest + [UInt8(ascii: "\n")]
                rest = []
            }
            state.line = Array(rest)
            if !lines.isEmpty { output.write(lines) }
        }
    }

    private static func lines(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { printable(String($0), keepingTabs: true) }.joined(separator: "\n")
    }

    func write(_ table: Table) { output.write(table, of: name) }

    func write(json value: some Encodable) throws {
        output.write(try Output.line(Tagged(value: value, target: name)))
    }

    /// Keeps why something failed.
    func complain(_ text: String) {
        // The command is the same in all lines.
        let command = "\(command): "
        let isAlike = text.utf8.starts(with: command.utf8)
        state.withLock {
            $0.messages.append(
                isAlike ? String(text.utf8.dropFirst(command.utf8.count)) ?? text : text)
        }
    }

    /// Progress is nothing to read of a thousand devices; what follows a failure tells how that
    /// ended.
    func say(_ text: String) {
        state.withLock { if !$0.messages.isEmpty { $0.messages.append(text) } }
    }

    /// Notes that nothing was heard of the device any more.
    func lose() { state.withLock { $0.isLost = true } }

    var isLost: Bool { state.withLock { $0.isLost } }

    /// Ends the data.
    ///
    /// - Returns: what was complained about, on one line; empty for nothing.
    func finish() -> String {
        state.withLock { state in
            if !state.line.isEmpty { output.write(prefix + state.line + [UInt8(ascii: "\n")]) }
            state.line = []
            let text = printable(state.messages.joined(separator: "; "))
            // A few sentences; a device may send megabytes.
            return String(text.prefix(Self.longestComplaint))
        }
    }

    private var prefix: [UInt8] { Array("\(name): ".utf8) }

    /// An object with the key `target` added.
    private struct Tagged<Value: Encodable>: Encodable {
        var value: Value
        var target: String

        private enum Key: CodingKey { case target }

        func encode(to encoder: any Encoder) throws {
            try value.encode(to: encoder)
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(target, forKey: .target)
        }
    }
}
