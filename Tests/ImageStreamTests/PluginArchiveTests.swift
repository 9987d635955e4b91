import CArchive
import Glibc
import OCI
import SystemIO
import Testing

@testable import ImageStream

@Suite struct PluginArchiveTests {
    private let limits = ImageStreamLimits(maximumExpansion: 1 << 20)

    private func file(of bytes: [UInt8]) throws -> FileSource {
        let file = TemporaryFile()
        var copy: CInt = -1
        try file.withDescriptor { number in
            _ = write(number, bytes, bytes.count)
            lseek(number, 0, SEEK_SET)
            copy = dup(number)
        }
        return FileSource(SystemIO.Descriptor(owning: copy))
    }

    /// What comes out, as names with what they lead to.
    private func passOn(_ bytes: [UInt8]) throws -> [String] {
        let archive = try PluginArchive(surveying: try file(of: bytes), limits: limits)
        let output = TemporaryFile()
        try output.withDescriptor { number in
            try archive.write(
                from: try file(of: bytes), config: Array("{}".utf8),
                to: SystemIO.Descriptor(owning: dup(number)), limits: limits)
        }
        let pieces = Pieces(try output.read(), of: 1000)
        let reader = try ArchiveReader(
            from: { () throws(ImageStreamError) in
                do { return try pieces.next() } catch { throw .source(error) }
            }, limit: .max)
        var entries: [String] = []
        while let entry = try reader.nextEntry() {
            let target = entry.hardlink ?? entry.symlink
            entries.append(target.isEmpty ? entry.name : "\(entry.name) > \(target)")
        }
        return entries
    }

    @Test func namesMayHaveAnyLetters() throws {
        let long = "rootfs/" + String(repeating: "è", count: 40)
        let bytes =
            rawHeader("rootfs/é") + rawHeader("rootfs/ü", type: "2", target: "é/ä")
            + rawHeader("rootfs/ö", type: "1", target: "rootfs/é") + rawHeader(long)
            + [UInt8](repeating: 0, count: 1024)
        #expect(
            try passOn(bytes) == [
                "config.json", "rootfs/é", "rootfs/ü > é/ä", "rootfs/ö > rootfs/é", long,
            ])
    }

    /// GNU's second size says how long a file becomes.
    @Test(
        arguments: [[0xFF, 0xFF, 0xFF, 0x9C], [0xC0, 0, 0, 0], [0x80, 0, 0, 0x64]] as [[UInt8]])
    func aFileThatIsNotAsLongAsItSaysIsRefused(size: [UInt8]) throws {
        let bytes = rawHeader("bin", gnuSize: size) + [UInt8](repeating: 0, count: 1024)
        #expect(throws: ImageStreamError.self) {
            try PluginArchive(surveying: try file(of: bytes), limits: limits)
        }
    }
}
