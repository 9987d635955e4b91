import FoundationEssentials
import Glibc
import SystemIO
import Testing

@testable import ContainerzService

@Suite(.timeLimit(.minutes(1))) struct PluginStoreTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/plugins-\(UInt64.random(in: 0...UInt64.max))"
        #expect(mkdir(folder, 0o700) == 0)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func aPipeInAFilesPlaceHoldsNobodyUp() throws {
        try withFolder { folder in
            #expect(mkfifo("\(folder)/.partial-x", 0o600) == 0)
            #expect(mkfifo("\(folder)/pipe.tar", 0o600) == 0)
            let store = PluginStore(folder)
            _ = try store.free()
            let isThere = try store.open(PluginName("pipe", field: "name")) != nil
            #expect(!isThere)
        }
    }

    @Test(arguments: [0o707, 0o770] as [mode_t])
    func aFolderThatOthersMayWriteToIsRefused(mode: mode_t) throws {
        try withFolder { folder in
            chmod(folder, mode)
            chown(folder, 0, 12345)
            #expect(throws: SystemError.self) { try PluginStore(folder).free() }
        }
    }

    @Test func aFolderOfSomebodyElseIsRefused() throws {
        try withFolder { folder in
            try #require(chown(folder, 12345, 0) == 0, "this needs root")
            #expect(throws: SystemError.self) { try PluginStore(folder).free() }
        }
    }
}
