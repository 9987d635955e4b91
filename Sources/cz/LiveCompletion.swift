import ArgumentParser
import ContainerzClient
import SystemIO

/// Names that a shell completes, asked of the device that the command line so far, or the
/// environment, tells of. A shell wants words or nothing: what goes wrong is no word.
enum LiveCompletion {
    enum Level {}

    static let instances = CompletionKind.custom { words, _, _ in
        names(words) { device in
            try await device.containers(all: true).map(\.name)
        }
    }

    static let images = CompletionKind.custom { words, _, _ in
        names(words) { device in
            try await device.images().map { "\($0.name):\($0.tag)" }
        }
    }

    static let volumes = CompletionKind.custom { words, _, _ in
        names(words) { device in try await device.volumes().map(\.name) }
    }

    static let plugins = CompletionKind.custom { words, _, _ in
        names(words) { device in try await device.plugins().map(\.instance) }
    }

    /// Longer nobody waits at a prompt.
    private static let patience: Duration = .seconds(2)

    private static func names(
        _ words: [String], _ ask: @escaping @Sendable (Device) async throws -> [String]
    ) -> [String] {
        guard let options = try? ConnectionOptions<Level>.parse(connectionWords(words)),
            let before = try? ConnectionOptions<ClientCommand.Level>.parse([]),
            let connection = try? Connection(options, before)
        else { return [] }
        let answer = EventLoopExecutor.run { @EventLoop () -> [String] in
            let asking = EventLoop.task {
                try await Device.with(connection.target, timeout: patience, ask)
            }
            // A device that is not there is not waited for to say so.
            let alarm = EventLoop.Timer(after: patience) { asking.cancel() }
            defer { alarm.cancel() }
            return (try? await asking.value) ?? []
        }
        return answer.filter(isWord)
    }

    /// The shell takes what it gets for its own words, and devices are not to write scripts, or
    /// options.
    private static func isWord(_ name: String) -> Bool {
        name.utf8.first.map { $0 != UInt8(ascii: "-") } == true
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || "._-/:@".utf8.contains(byte)
            }
    }

    /// Those options among the words that tell which device, and how to reach it.
    private static func connectionWords(_ words: [String]) -> [String] {
        let withValue: Set = [
            "--target", "--targets-file", "--select", "--ca", "--cert", "--key", "--server-name",
        ]
        var found: [String] = []
        var words = rejoined(words)[...]
        while let word = words.popFirst() {
            if word == "--" { break }
            if word == "--insecure" {
                found.append(word)
            } else if withValue.contains(word), let value = words.popFirst() {
                found += [word, value]
            } else if let equals = word.firstIndex(of: "="),
                withValue.contains(String(word[..<equals]))
            {
                found.append(word)
            }
        }
        return found
    }

    /// bash takes `HOST:PORT` and `--target=HOST` for three words each.
    private static func rejoined(_ words: [String]) -> [String] {
        var found: [String] = []
        var joins = false
        for word in words {
            let isBreak = word == ":" || word == "="
            if joins || isBreak, let last = found.popLast() {
                found.append(last + word)
            } else {
                found.append(word)
            }
            joins = isBreak
        }
        return found
    }
}
