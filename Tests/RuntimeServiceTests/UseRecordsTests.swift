import FoundationEssentials
import Logging
import SystemIO
import Testing

@testable import RuntimeService

@Suite("The record of what was used when")
@EventLoop
final class UseRecordsTests {
    private let folder: String
    private var now: Int64 = 1_800_000_000

    init() {
        folder = URL.temporaryDirectory.appending(path: "use.\(UUID().uuidString)").path
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func records() throws -> UseRecords {
        try UseRecords(
            folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { self.now }
    }

    @Test("It survives a restart")
    func restart() async throws {
        let before = try records()
        before.loaded(["a"], fetched: true)
        before.surveyed(images: ["a": false, "b": false], volumes: ["v": true], asOf: now)
        await before.flush()
        now += 100
        let after = try records()
        #expect(after.image("a") == .init(lastUsed: now - 100, managed: true, fetched: true))
        #expect(after.image("b") == .init(lastUsed: now - 100, managed: false, fetched: false))
        #expect(after.isManaged(volume: "v"))
    }

    @Test("Use and load count, having been seen does not")
    func times() async throws {
        let records = try records()
        records.loaded(["a", "b", "c"], fetched: false)
        now += 10
        records.surveyed(images: ["a": true, "b": false, "c": false], volumes: [:], asOf: now)
        records.used(["c"])
        #expect(records.image("a")?.lastUsed == now)
        #expect(records.image("b")?.lastUsed == now - 10)
        #expect(records.image("c") == .init(lastUsed: now, managed: true, fetched: false))
        await records.flush()
    }

    @Test("What is gone is forgotten, but not what came since the engine was asked")
    func gone() async throws {
        let records = try records()
        records.loaded(["old"], fetched: false)
        now += 10
        let asked = now
        records.loaded(["new"], fetched: false)
        records.surveyed(images: [:], volumes: [:], asOf: asked)
        #expect(records.image("old") == nil)
        #expect(records.image("new")?.managed == true)
        await records.flush()
    }

    @Test("A clock that was wrong makes nothing old, and nothing young for ever")
    func clock() async throws {
        let right = now
        let records = try records()
        now = 1000
        records.loaded(["early"], fetched: false)
        now = right + 1_000_000
        records.loaded(["late"], fetched: false)
        now = right
        records.surveyed(images: ["early": false, "late": false], volumes: [:], asOf: right)
        #expect(records.image("early")?.lastUsed == right)
        #expect(records.image("late")?.lastUsed == right)
        await records.flush()
    }

    @Test("A damaged file is begun anew")
    func damaged() async throws {
        let before = try records()
        before.loaded(["a"], fetched: false)
        await before.flush()
        try Data("{".utf8).write(to: URL(filePath: "\(folder)/use.json"))
        #expect(try records().image("a") == nil)
    }

    @Test("What comes while it is written is written as well")
    func coalescing() async throws {
        let before = try records()
        for number in 0..<100 {
            before.loaded(["image\(number)"], fetched: false)
            // Now and then the first ones get to the disk meanwhile.
            if number % 10 == 0 { try await EventLoop.sleep(for: .milliseconds(1)) }
        }
        await before.flush()
        let after = try records()
        #expect((0..<100).allSatisfy { after.image("image\($0)") != nil })
    }

    @Test("It does not grow without end")
    func bound() async throws {
        let records = try records()
        records.loaded(["oldest"], fetched: false)
        now += 1
        records.loaded(
            Set((0..<UseRecords.most).map { "image\($0)" }), fetched: false)
        #expect(records.image("oldest") == nil)
        #expect(records.image("image0") != nil)
        await records.flush()
    }
}
