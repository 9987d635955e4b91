import ContentDigest
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

    @Test func oneThatIsWrittenToIsNotTakenForWhatItWas() throws {
        let path = "/tmp/push-source.\(UInt64.random(in: 0...UInt64.max))"
        defer { unlink(path) }
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
        try Array("abc".utf8).withUnsafeBytes { try file.writeAll($0) }
        let source = try PushSource.file(path)
        try source.requireUnchanged()
        // To remove it is no change of what is in it.
        #expect(link(path, "\(path).2") == 0 && unlink("\(path).2") == 0)
        try source.requireUnchanged()
        try Array("d".utf8).withUnsafeBytes { try file.writeAll($0) }
        #expect(throws: PushSource.Changed.self) { try source.requireUnchanged() }
    }

    @Test func aFileHasADigest() throws {
        #expect(
            try "\(PushSource.file("/proc/version").digest())"
                == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let file = try PushSource.file("/bin/sh")
        #expect(
            try file.digest() == ContentHash.digest(of: try file.read(Int(file.size), at: 0)))
    }
}
