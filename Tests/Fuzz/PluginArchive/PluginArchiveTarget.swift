import ContentDigest
import FuzzSupport

@testable import ImageStream

/// A tarball that is taken for a plugin's can be passed on, and what comes out is Docker's form.
@main struct PluginArchiveTarget: FuzzTarget {
    private static let limits = ImageStreamLimits(maximumExpansion: 1 << 20)
    private static let largestOutput = 4 << 20

    static func run(_ input: inout FuzzInput) {
        let repairs = input.choice(true, false)
        let bytes = repairs ? repairTarChecksums(input.bytes) : input.bytes
        guard let archive = survey(bytes) else { return }
        requireEqual(archive.digest, ContentHash.digest(of: bytes))
        let config = archive.config ?? Array("{}".utf8)
        guard let first = write(bytes, archive, config) else { return }
        require(first.count <= largestOutput, "\(first.count) bytes came out")
        guard let passed = survey(first) else { fatalError("what came out is no plugin's") }
        require(passed.hasFolder, "what came out has no rootfs")
        requireEqual(passed.config, config)
        guard let second = write(first, passed, config) else {
            fatalError("what came out cannot be passed on")
        }
        // Not its bytes: libarchive writes a time before all others as a second later.
        requireEqual(entries(of: second), entries(of: first))
    }

    private static func survey(_ bytes: [UInt8]) -> PluginArchive? {
        try? PluginArchive(
            surveying: FileSource(ScratchFile(bytes).descriptor()), limits: limits)
    }

    private struct Entry: Equatable {
        var name: String
        var target: String
        var content: [UInt8] = []
    }

    private static func entries(of bytes: [UInt8]) -> [Entry] {
        let source = FileSource(ScratchFile(bytes).descriptor())
        var entries: [Entry] = []
        do {
            let reader = try ArchiveReader(.tar) { () throws(ImageStreamError) in
                do { return try source.next() } catch { throw .source(error) }
            }
            while let next = try reader.nextEntry() {
                var entry = Entry(name: next.name, target: next.hardlink ?? next.symlink)
                while case let block = try reader.nextBlock(), !block.isEmpty {
                    entry.content += block
                }
                entries.append(entry)
            }
        } catch {
            fatalError("what came out cannot be read: \(error)")
        }
        return entries
    }

    private static func write(
        _ bytes: [UInt8], _ archive: PluginArchive, _ config: [UInt8]
    ) -> [UInt8]? {
        let file = ScratchFile()
        do {
            try archive.write(
                from: FileSource(ScratchFile(bytes).descriptor()), config: config,
                to: file.descriptor(), limits: limits)
            return file.bytes
        } catch {
            // libarchive reads some entries that it cannot write.
            guard case .output = error else { fatalError("surveyed, but then \(error)") }
            return nil
        }
    }
}
