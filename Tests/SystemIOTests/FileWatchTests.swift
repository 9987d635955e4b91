import FoundationEssentials
import Glibc
import SystemIO
import Testing

@Suite("Files that are watched") struct FileWatchTests {
    /// Does something to a file, and waits until the watch tells of it.
    private func tells(
        _ path: String, of change: @escaping @EventLoop () throws -> Void
    ) async throws {
        try await { @EventLoop in
            var watch: FileWatch?
            let told = AsyncStream<Void>.makeStream()
            watch = try FileWatch([path]) { told.continuation.yield() }
            try change()
            for await _ in told.stream { break }
            watch?.cancel()
        }()
    }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder =
            "\(FileManager.default.temporaryDirectory.path())/watch-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    @Test("Written in place, replaced, made and removed", .timeLimit(.minutes(1)))
    func changes() async throws {
        try await withFolder { folder in
            let (path, other) = ("\(folder)/file", "\(folder)/other")
            try await tells(path) { try Self.write("1", to: path) }
            try await tells(path) { try Self.write("22", to: path) }
            try await tells(path) {
                try Self.write("333", to: other)
                rename(other, path)
            }
            try await tells(path) { unlink(path) }
        }
    }

    @Test("In a folder that is replaced, or one above it", .timeLimit(.minutes(1)))
    func folders() async throws {
        try await withFolder { folder in
            func make(_ name: String, _ text: String) throws {
                let path = "\(folder)/\(name)/inner"
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true)
                try Self.write(text, to: "\(path)/file")
            }
            func swap(_ suffix: String) {
                rename("\(folder)/current\(suffix)", "\(folder)/old\(suffix.count)")
                rename("\(folder)/next\(suffix)", "\(folder)/current\(suffix)")
            }
            try make("current", "1")
            let path = "\(folder)/current/inner/file"
            try make("next", "22")
            try await tells(path) { swap("") }
            // What is in the place of the old one is watched now.
            try await { @EventLoop in
                let told = AsyncStream<Void>.makeStream()
                var changes = told.stream.makeAsyncIterator()
                let watch = try FileWatch([path]) { told.continuation.yield() }
                try make("next", "333")
                try FileManager.default.removeItem(atPath: "\(folder)/old0")
                swap("")
                await changes.next(isolation: EventLoop.shared)
                try Self.write("4444", to: path)
                await changes.next(isolation: EventLoop.shared)
                watch.cancel()
            }()
        }
    }

    @Test("A change before anybody asked is told of", .timeLimit(.minutes(1)))
    func early() async throws {
        try await withFolder { folder in
            try await { @EventLoop in
                let (path, other) = ("\(folder)/file", "\(folder)/other")
                let watch = try FileWatch([path])
                let second = AsyncStream<Void>.makeStream()
                let witness = try FileWatch([other]) { second.continuation.yield() }
                try Self.write("1", to: path)
                try Self.write("1", to: other)
                // Both have looked by then.
                for await _ in second.stream { break }
                let told = AsyncStream<Void>.makeStream()
                watch.tell { told.continuation.yield() }
                for await _ in told.stream { break }
                watch.cancel()
                witness.cancel()
            }()
        }
    }

    @Test("A link that is turned to another file", .timeLimit(.minutes(1)))
    func links() async throws {
        try await withFolder { folder in
            let path = "\(folder)/link"
            for name in ["a", "b"] { try Self.write(name, to: "\(folder)/\(name)") }
            symlink("a", path)
            try await tells(path) {
                symlink("b", "\(folder)/new")
                rename("\(folder)/new", path)
            }
        }
    }
}

@Suite("Files that security rests on") struct TrustedFileTests {
    @Test(
        "Modes that let others in are refused",
        arguments: [
            (mode_t(0o600), TrustedFile.Content.secret, nil as String?),
            (0o640, .secret, nil), (0o644, .secret, "chmod o-r"), (0o602, .secret, "chmod o-w"),
            (0o644, .open, nil), (0o666, .open, "chmod o-w"),
        ])
    func modes(_ mode: mode_t, _ content: TrustedFile.Content, _ advice: String?) throws {
        let path = "/tmp/trusted-\(UInt64.random(in: 0...UInt64.max))"
        try Data("x".utf8).write(to: URL(filePath: path))
        defer { unlink(path) }
        chmod(path, mode)
        do {
            #expect(try TrustedFile.read(path, content) == [UInt8(ascii: "x")])
            #expect(advice == nil)
        } catch {
            #expect(error.description.hasSuffix(try #require(advice)))
        }
    }

    @Test("What is no file, or too long, is refused")
    func others() {
        #expect(throws: TrustedFile.Refusal.self) { try TrustedFile.read("/tmp", .open) }
        #expect(throws: TrustedFile.Refusal.self) { try TrustedFile.read("/nonexistent", .open) }
        #expect(throws: TrustedFile.Refusal.self) {
            try TrustedFile.read("/etc/passwd", .open, upTo: 3)
        }
    }
}
