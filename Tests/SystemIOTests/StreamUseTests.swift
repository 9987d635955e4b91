import Glibc
import SystemIO
import Testing

struct StreamUseTests {
    @Test func acceptsTheMatchingEndOfAPipe() throws {
        let pipe = try Descriptor.pipe()
        #expect(try pipe.read.objection(to: .reading) == nil)
        #expect(try pipe.write.objection(to: .writing) == nil)
        #expect(try pipe.read.objection(to: .writing)?.contains("not open for writing") == true)
        #expect(try pipe.write.objection(to: .reading)?.contains("not open for reading") == true)
    }

    @Test func acceptsARegularFileThatIsOpenForTheUse() throws {
        let path = "/tmp/containerz-stream-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        let both = try Descriptor.open(path, O_RDWR | O_CREAT | O_EXCL)
        defer { unlink(path) }
        #expect(try both.objection(to: .reading) == nil)
        #expect(try both.objection(to: .writing) == nil)
        let reading = try Descriptor.open(path, O_RDONLY)
        #expect(try reading.objection(to: .reading) == nil)
        #expect(try reading.objection(to: .writing) != nil)
        let pathOnly = try Descriptor.open(path, 0o10000000)
        #expect(try pathOnly.objection(to: .reading) != nil)
    }

    @Test(arguments: [
        SOCK_STREAM.rawValue, SOCK_DGRAM.rawValue, SOCK_SEQPACKET.rawValue,
    ])
    func refusesSockets(type: UInt32) throws {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(type), 0, &ends) == 0)
        let one = Descriptor(owning: ends[0])
        let other = Descriptor(owning: ends[1])
        for use in [Descriptor.StreamUse.reading, .writing] {
            #expect(try one.objection(to: use)?.hasPrefix("a socket") == true)
            #expect(try other.objection(to: use)?.hasPrefix("a socket") == true)
        }
    }

    @Test(arguments: [
        ("/dev/null", O_RDWR, "a device"), ("/", O_RDONLY, "a directory"),
        ("/proc/self/oom_score_adj", O_RDWR, "a file on a file system"),
        ("/proc/self/status", O_RDONLY, "a file on a file system"),
    ])
    func refusesDevicesDirectoriesAndTheKernelsFiles(
        path: String, flags: CInt, objection: String
    ) throws {
        let file = try Descriptor.open(path, flags)
        #expect(try file.objection(to: .reading)?.hasPrefix(objection) == true)
        #expect(try file.objection(to: .writing)?.hasPrefix(objection) == true)
    }
}
