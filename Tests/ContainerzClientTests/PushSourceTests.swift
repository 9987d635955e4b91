import Glibc
import SystemIO
import Testing

@testable import ContainerzClient

struct PushSourceTests {
    @Test func aFileIsReadAtAnyPlace() throws {
        let source = try PushSource.file("/bin/sh")
        var status = stat()
        #expect(stat("/bin/sh", &status) == 0)
        #expect(source.size == Int64(status.st_size))
        #expect(try source.read(4, at: 0) == [0x7F, 0x45, 0x4C, 0x46])
        #expect(try source.read(2, at: 1) == [0x45, 0x4C])
        #expect(try source.read(10, at: source.size - 3).count == 3)
        #expect(try source.read(10, at: source.size).isEmpty)
    }

    @Test(arguments: ["/", "/nonexistent", "/dev/null"])
    func whatIsNoFile(path: String) {
        #expect(throws: SystemError.self) { try PushSource.file(path) }
    }
}
