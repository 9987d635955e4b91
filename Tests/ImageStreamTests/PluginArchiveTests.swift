import CArchive
import Glibc
import OCI
import SystemIO
import Testing

@testable import ImageStream

@Suite struct PluginArchiveTests {
    private let limits = ImageStreamLimits(maximumExpansion: 1 << 20)

    /// One entry without content, byte by byte: libarchive itself writes no such names.
    private func header(_ name: String, type: Character = "0", target: String = "") -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put("00000000000", at: 124)
        put("        ", at: 148)
        put(String(type), at: 156)
        put(target, at: 157)
        put("ustar\u{0}00", at: 257)
        put("bôss", at: 265)
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        put(String(repeating: "0", count: 6 - sum.count) + sum + "\0", at: 148)
        return block
    }

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
        let reader = try ArchiveReader(.tar) { () throws(ImageStreamError) in
            do { return try pieces.next() } catch { throw .source(error) }
        }
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
            header("rootfs/é") + header("rootfs/ü", type: "2", target: "é/ä")
            + header("rootfs/ö", type: "1", target: "rootfs/é") + header(long)
            + [UInt8](repeating: 0, count: 1024)
        #expect(
            try passOn(bytes) == [
                "config.json", "rootfs/é", "rootfs/ü > é/ä", "rootfs/ö > rootfs/é", long,
            ])
    }
}
