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
    /// A folder of this test's own below /tmp, with a file in it.
    private func withFile(_ body: (_ folder: String, _ file: String) throws -> Void) throws {
        let folder = "/tmp/trusted-\(UInt64.random(in: 0...UInt64.max))"
        try FileManager.default.createDirectory(
            atPath: "\(folder)/inner", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        chmod(folder, 0o755)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = "\(folder)/inner/file"
        try Data("x".utf8).write(to: URL(filePath: file))
        chmod(file, 0o600)
        try body(folder, file)
    }

    /// Why a file is refused; nil when it is read.
    private func refusal(of path: String) -> String? {
        do {
            #expect(try TrustedFile.read(path, .secret) == [UInt8(ascii: "x")])
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test(
        "refusesFoldersThatOthersCanChange",
        arguments: [
            (mode_t(0o755), nil as String?), (0o700, nil), (0o757, "chmod o-w"),
            (0o1777, nil), (0o1757, nil),
        ])
    func folders(_ mode: mode_t, _ remedy: String?) throws {
        try withFile { folder, file in
            for changed in [folder, "\(folder)/inner"] {
                chmod(changed, mode)
                let refusal = refusal(of: file)
                if let remedy {
                    #expect(refusal?.hasSuffix("\(remedy) \(changed)") == true, "\(refusal ?? "")")
                } else {
                    #expect(refusal == nil)
                }
                chmod(changed, 0o755)
            }
        }
    }

    @Test("refusesLinksThroughFoldersThatOthersCanChange")
    func links() throws {
        try withFile { folder, file in
            mkdir("\(folder)/open", 0o755)
            chmod("\(folder)/open", 0o777)
            // The link is what others can exchange, not the file.
            symlink("../inner/file", "\(folder)/open/link")
            symlink("open/link", "\(folder)/relative")
            symlink("\(folder)/open", "\(folder)/absolute")
            symlink("inner", "\(folder)/good")
            for path in ["open/link", "relative", "absolute/link", "inner/../open/link"] {
                #expect(refusal(of: "\(folder)/\(path)")?.hasSuffix("\(folder)/open") == true)
            }
            #expect(refusal(of: "\(folder)/good/file") == nil)
            #expect(refusal(of: "\(folder)/good/../inner/./file") == nil)
            // Where others can only add names, the link's owner counts.
            chmod("\(folder)/open", 0o1777)
            #expect(refusal(of: "\(folder)/relative") == nil)
            if geteuid() == 0 {
                lchown("\(folder)/open/link", 65534, 65534)
                #expect(refusal(of: "\(folder)/relative")?.contains("65534") == true)
            }
            // Two links that lead to each other.
            symlink("loop2", "\(folder)/loop1")
            symlink("loop1", "\(folder)/loop2")
            #expect(refusal(of: "\(folder)/loop1")?.contains("symbolic links") == true)
        }
    }

    @Test("refusesFoldersAndGroupsOfOthers", .enabled(if: geteuid() == 0))
    func owners() throws {
        try withFile { folder, file in
            chown("\(folder)/inner", 65534, 0)
            #expect(refusal(of: file)?.hasSuffix("chown root \(folder)/inner") == true)
            chown("\(folder)/inner", 0, 65534)
            chmod("\(folder)/inner", 0o775)
            #expect(refusal(of: file)?.hasSuffix("chmod g-w \(folder)/inner") == true)
            chown("\(folder)/inner", 0, 0)
            #expect(refusal(of: file) == nil)
            // Even where it is sticky, its owner can rename what is in it.
            chown("\(folder)/inner", 65534, 0)
            chmod("\(folder)/inner", 0o1777)
            #expect(refusal(of: file)?.hasSuffix("chown root \(folder)/inner") == true)
        }
    }

    @Test("refusesSecondNamesInSharedFolders")
    func secondNames() throws {
        try withFile { folder, file in
            mkdir("\(folder)/open", 0o755)
            chmod("\(folder)/open", 0o1777)
            link(file, "\(folder)/open/second")
            #expect(refusal(of: "\(folder)/open/second")?.contains("several names") == true)
            #expect(refusal(of: file) == nil)
        }
    }

    @Test("judgesFoldersOfState")
    func folderOfState() throws {
        try withFile { folder, _ in
            try Folder(existing: "\(folder)/inner").requireOwn()
            for (changed, mode) in [(folder, mode_t(0o777)), ("\(folder)/inner", 0o1777)] {
                chmod(changed, mode)
                #expect(throws: SystemError.self) {
                    try Folder(existing: "\(folder)/inner").requireOwn()
                }
                chmod(changed, 0o755)
            }
        }
    }

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
