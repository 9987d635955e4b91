import Cleaning
import FoundationEssentials
import Glibc
import SystemIO
import Testing

@testable import Janitor

/// Files with times, in a folder of the test's own.
private final class Scratch {
    let path = URL.temporaryDirectory.appending(path: "janitor.\(UUID().uuidString)").path
    let now: Int64 = 1_800_000_000

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func add(_ name: String, _ text: String = "x", age: Int64) throws -> String {
        let full = "\(path)/\(name)"
        let folder = full.split(separator: "/").dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(
            atPath: "/\(folder)", withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(filePath: full))
        var times = [
            timespec(tv_sec: Int(now - age), tv_nsec: 0),
            timespec(tv_sec: Int(now - age), tv_nsec: 0),
        ]
        try check("utimensat", on: full) { utimensat(AT_FDCWD, full, &times, 0) }
        return full
    }

    func has(_ name: String) -> Bool { access("\(path)/\(name)", F_OK) == 0 }
}

@Suite("Files that nobody needs")
struct LeftoversTests {
    private let scratch = Scratch()
    private static let day: Int64 = 86400

    @Test("A folder that cannot be looked into is told of as that")
    func unreadable() throws {
        let file = try scratch.add("file", age: 0)
        let plugins = PluginLeftovers(file, madePlugins: [], unusedAfter: 0, now: scratch.now)
        let entries =
            plugins.clean(isDryRun: false)
            + CacheLeftovers(file, limit: 0, now: scratch.now).clean(isDryRun: false)
        #expect(entries.map(\.reason) == ["unreadable", "unreadable"])
        #expect(entries.allSatisfy { $0.outcome.code == "failed" && $0.name == file })
    }

    @Test("Of the cache goes what is broken off, and the longest unused above its limit")
    func cache() throws {
        try scratch.add("blobs/sha256/aa", "12345", age: 500)
        try scratch.add("blobs/sha512/bb", "12345", age: 400)
        try scratch.add("blobs/sha256/cc", "12345", age: 300)
        try scratch.add("blobs/sha256/no-hex", "12345", age: 900)
        try scratch.add("partial/old", age: Self.day)
        try scratch.add("partial/new", age: Self.day - 1)
        let locked = try scratch.add("partial/locked", age: 2 * Self.day)
        let writer = try Descriptor.open(locked, O_RDWR)
        #expect(flock(writer.number, LOCK_EX) == 0)

        let cache = CacheLeftovers(scratch.path, limit: 10, now: scratch.now)
        let planned = cache.clean(isDryRun: true)
        #expect(planned.map(\.outcome) == [.planned, .planned])
        let done = cache.clean(isDryRun: false)
        #expect(done.filter { $0.outcome == .removed }.map(\.name) == planned.map(\.name))
        #expect(!scratch.has("blobs/sha256/aa") && !scratch.has("partial/old"))
        for name in [
            "blobs/sha512/bb", "blobs/sha256/cc", "blobs/sha256/no-hex", "partial/new",
            "partial/locked",
        ] { #expect(scratch.has(name), "\(name)") }
        _ = consume writer
    }

    @Test("Of plugins' tarballs go old ones that no plugin was made from")
    func tarballs() throws {
        try scratch.add("made.tar", "made", age: 1000)
        try scratch.add("stale.tar", "stale", age: 1000)
        try scratch.add("young.tar", "young", age: 10)
        try scratch.add("other.txt", age: 1000)
        try scratch.add(".partial-1", age: Self.day)
        // sha256sum of "made".
        let made = "sha256:ea0890697a77af0a2e054cccec587c8a42feb5cf38e778c6c6e2a96bfb945c0b"

        let unknown = PluginLeftovers(
            scratch.path, madePlugins: nil, unusedAfter: 100, now: scratch.now)
        #expect(unknown.clean(isDryRun: true).map(\.kind) == [.partial])
        let known = PluginLeftovers(
            scratch.path, madePlugins: [made], unusedAfter: 100, now: scratch.now)
        #expect(known.clean(isDryRun: false).allSatisfy { $0.outcome == .removed })
        #expect(scratch.has("made.tar") && scratch.has("young.tar") && scratch.has("other.txt"))
        #expect(!scratch.has("stale.tar") && !scratch.has(".partial-1"))
    }

    @Test("Links are left alone, and what they lead to")
    func links() throws {
        let target = try scratch.add("outside", age: 2 * Self.day)
        try scratch.add("cache/partial/real", age: 2 * Self.day)
        #expect(symlink(target, "\(scratch.path)/cache/partial/link") == 0)
        let entries = CacheLeftovers("\(scratch.path)/cache", limit: 0, now: scratch.now)
            .clean(isDryRun: false)
        #expect(entries.map(\.name) == ["\(scratch.path)/cache/partial/real"])
        #expect(scratch.has("outside") && scratch.has("cache/partial/link"))
    }

    @Test("A folder that is not there is empty")
    func missing() {
        #expect(CacheLeftovers("/nonexistent", limit: 0, now: 0).clean(isDryRun: false).isEmpty)
    }

    @Test("What is used between the plan and the removal stays")
    func usedMeanwhile() throws {
        let path = try scratch.add("blob", age: 100)
        let file = try #require(FileStore.file(path))
        try scratch.add("blob", age: 0)
        guard case .needed = FileStore.remove(file) else {
            Issue.record("it was removed")
            return
        }
        #expect(scratch.has("blob"))
    }

    @Test("The lock is one's at a time")
    func lock() throws {
        try scratch.add("file", age: 0)
        let path = "\(scratch.path)/lock"
        if let first = try RunLock.take(path) {
            #expect(try !isFree(path))
            _ = consume first
        } else {
            Issue.record("nobody had it")
        }
        #expect(try isFree(path))
    }

    private func isFree(_ path: String) throws -> Bool {
        if let lock = try RunLock.take(path) {
            _ = consume lock
            return true
        }
        return false
    }
}
