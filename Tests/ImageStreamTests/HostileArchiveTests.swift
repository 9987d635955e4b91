import ContentDigest
import Glibc
import OCI
import SystemIO
import Testing

@testable import ImageStream

/// Each bad archive is refused with its reason, and what came out before has no manifest.
@Suite struct HostileArchiveTests {
    private func refusal(
        _ bytes: [UInt8], as name: String? = "wanted:1", limit: Int64 = 1 << 30,
        failure: (any Error)? = nil
    ) throws -> String {
        let file = TemporaryFile()
        var refusal: ImageStreamError?
        try file.withDescriptor { number in
            let source = Pieces(bytes, of: 1000, thenFailingWith: failure)
            let reference = try name.map { try ImageReference(parsing: $0) }
            let output = SystemIO.Descriptor(owning: dup(number))
            do throws(ImageStreamError) {
                _ = try ImageStream.normalise(
                    from: source, to: output, as: reference,
                    limits: ImageStreamLimits(maximumExpansion: limit))
            } catch {
                refusal = error
            }
        }
        let written = try file.read()
        #expect(!String(decoding: written, as: UTF8.self).contains("manifest.json"))
        return try #require(refusal).description
    }

    private func refusal(_ archive: Archive, as name: String? = "wanted:1") throws -> String {
        try refusal(try archive.bytes(), as: name)
    }

    @Test(arguments: [[], [0], Array("no archive at all, but text".utf8)])
    func whatIsNoArchive(bytes: [UInt8]) throws {
        #expect(try refusal(bytes).contains("not an archive"))
    }

    @Test func anArchiveThatIsLetGoOfHasNoEnd() throws {
        let file = TemporaryFile()
        try file.withDescriptor { number in
            let writer = try ArchiveWriter(to: SystemIO.Descriptor(owning: dup(number)))
            try writer.begin("file", size: 1024)
            try Array("begun".utf8).withUnsafeBytes { bytes in try writer.write(bytes) }
        }
        #expect(try file.read().suffix(5) == Array("begun".utf8)[...])
    }

    /// GNU's second size says how long a file becomes; what is missing would be made up.
    @Test(
        arguments: [[0xFF, 0xFF, 0xFF, 0x9C], [0xC0, 0, 0, 0], [0x80, 0, 0, 0x64]] as [[UInt8]])
    func aFileThatIsNotAsLongAsItSays(size: [UInt8]) throws {
        let end = [UInt8](repeating: 0, count: 1024)
        #expect(try refusal(rawHeader("layer", gnuSize: size) + end).contains("damaged"))
    }

    @Test(arguments: [Archive.Compression.none, .gzip, .zstd, .xz])
    func truncatedAnywhere(compression: Archive.Compression) throws {
        let bytes = try SampleImage.two().dockerArchive().bytes(compression)
        // Without compression, the end of the archive is nothing but zeros.
        let last = compression == .none ? bytes.count - 1200 : bytes.count - 8
        for count in stride(from: 1, to: last, by: max(last / 60, 1)) {
            #expect(!(try refusal(Array(bytes[..<count])).isEmpty))
        }
    }

    @Test func corruptedAnywhere() throws {
        // The layers' content, their compression and the documents are all covered by a digest,
        // and what is not makes no difference to the image.
        let sample = try SampleImage.two(.gzip)
        let bytes = try sample.dockerArchive().bytes()
        for offset in stride(from: 0, to: bytes.count, by: 97) {
            var damaged = bytes
            damaged[offset] ^= 0xFF
            guard let passed = try? normalise(damaged) else { continue }
            #expect(try passed.image.configDigest == ContentHash.digest(of: sample.config))
            #expect(try passed.manifest?.layers.map(passed.content) == sample.layers)
        }
    }

    @Test func aCorruptedLayer() throws {
        var sample = try SampleImage.two()
        sample.layers[1][600] ^= 1
        #expect(try refusal(try sample.dockerArchive()).contains("'l1/layer.tar' in the archive"))
        #expect(try refusal(try sample.dockerArchive()).contains("corrupted"))
    }

    @Test func aBlobThatIsNotItsName() throws {
        var archive = try SampleImage.two().ociArchive()
        guard case .file(let name, var content) = archive.entries[2] else {
            Issue.record("the fixture has no file there")
            return
        }
        content[600] ^= 1
        archive.entries[2] = .file(name, content)
        #expect(try refusal(archive).contains("'\(name)' in the archive is corrupted"))
    }

    @Test func aConfigurationThatIsNotItsName() throws {
        var archive = try SampleImage.two().dockerArchive()
        guard case .file(let name, var content) = archive.entries[0] else {
            Issue.record("the fixture has no file there")
            return
        }
        content.append(UInt8(ascii: " "))
        archive.entries[0] = .file(name, content)
        #expect(try refusal(archive).contains("'\(name)' in the archive is corrupted"))
    }

    @Test func aManifestThatNamesWhatIsNotThere() throws {
        var archive = try SampleImage.two().dockerArchive()
        archive.entries.remove(at: 2)
        #expect(
            try refusal(archive) == "the archive has no 'l1/layer.tar', which manifest.json names")
        archive = try SampleImage.two().dockerArchive()
        archive.entries.remove(at: 0)
        #expect(try refusal(archive).contains("which manifest.json names"))
    }

    @Test func aManifestWithTooFewLayers() throws {
        var sample = try SampleImage.two()
        sample.layers.removeLast()
        #expect(try refusal(try sample.dockerArchive()).contains("it has 2 layers, the manifest 1"))
    }

    @Test func noManifest() throws {
        var archive = try SampleImage.two().dockerArchive()
        archive.entries.removeLast()
        #expect(try refusal(archive).contains("it holds no image"))
    }

    @Test(arguments: [
        "[]", "{}", "[{}]", "[1]", "{", "[{\"Config\":\"\",\"Layers\":[\"../x\"]}]",
        "deeply nested",
    ])
    func manifestsThatAreNone(text: String) throws {
        let text = text == "deeply nested" ? String(repeating: "[", count: 100_000) : text
        var archive = try SampleImage.two().dockerArchive()
        archive.entries[archive.entries.count - 1] = .file("manifest.json", Array(text.utf8))
        #expect(!(try refusal(archive).isEmpty))
    }

    @Test func twoImages() throws {
        var archive = Archive()
        let manifest = DockerManifest(config: "a.json", repoTags: ["a:1"], layers: [])
        try archive.add("manifest.json", json: [manifest, manifest])
        #expect(try refusal(archive) == "the archive holds 2 images; push them one by one")
        let oci = try SampleImage.two().ociArchive(platforms: [nil, nil])
        #expect(try refusal(oci) == "the archive holds 2 images; push them one by one")
    }

    @Test func noImageForThisPlatform() throws {
        let other = Platform(os: "linux", architecture: "pdp11")
        let archive = try SampleImage.two().ociArchive(platforms: [other, other])
        #expect(try refusal(archive).contains("only for linux/pdp11"))
    }

    @Test(arguments: [
        Archive.Entry.file("../evil", [1]), .file("a/../../evil", [1]), .file("/etc/passwd", [1]),
        .symlink("a/link", to: "/etc/passwd"), .symlink("a/link", to: "../../x"),
        .hardlink("link", to: "../x"), .hardlink("link", to: "/etc/shadow"), .device("sda"),
        .file("new\nline", [1]),
        .file("l0/layer.tar", [1]), .symlink("l0/layer.tar", to: "x"),
    ])
    func entriesThatAreNotSafe(entry: Archive.Entry) throws {
        var archive = try SampleImage.two().dockerArchive()
        archive.entries.insert(entry, at: archive.entries.count - 1)
        #expect(try refusal(archive).contains("is not safe"))
    }

    @Test func aNameLongerThanAnyPath() throws {
        try entriesThatAreNotSafe(entry: .file(String(repeating: "x", count: 5000), [1]))
    }

    @Test func aBombIsRefusedByItsHeader() throws {
        var archive = Archive()
        archive.entries = [.zeros("layer.tar", 256 << 20)]
        let bytes = try archive.bytes(.gzip)
        #expect(bytes.count < 1 << 20)
        #expect(
            try refusal(bytes, limit: 64 << 20)
                == "the archive expands to more than \(64 << 20) bytes")
    }

    @Test func aBombInsideALayer() throws {
        let layer = Archive(entries: [.zeros("zeros", 256 << 20)])
        var sample = SampleImage()
        sample.layers = [try layer.bytes(.gzip)]
        sample.diffIDs = [ContentHash.digest(of: [])]
        #expect(
            try refusal(try sample.dockerArchive().bytes(), limit: 64 << 20).contains("expands"))
    }

    @Test func tooMuchMetadata() throws {
        var archive = Archive()
        for number in 0..<3 {
            archive.add("\(number).json", [UInt8](repeating: UInt8(ascii: "["), count: 4 << 20))
        }
        #expect(try refusal(archive).contains("bytes of metadata"))
    }

    @Test func tooManyEntries() throws {
        var archive = Archive()
        for number in 0...10_000 { archive.entries.append(.directory("d\(number)")) }
        #expect(try refusal(archive).contains("more than 10000 entries"))
    }

    @Test func aNameThatTheArchiveDoesNotHave() throws {
        let sample = try SampleImage.two()
        #expect(
            try refusal(try sample.dockerArchive(tags: nil), as: nil).contains("give it a name"))
        #expect(
            try refusal(try sample.dockerArchive(tags: ["a:1", "b:1"]), as: nil)
                .contains("(a:1, b:1)"))
        #expect(
            try refusal(try sample.dockerArchive(tags: ["UPPER:1"]), as: nil)
                .contains("own name is wrong"))
    }

    @Test func aSourceThatFails() throws {
        struct Gone: Error, CustomStringConvertible { var description: String { "it went away" } }
        let bytes = try SampleImage.two().dockerArchive().bytes()
        for count in [0, 100, 1500, bytes.count / 2, bytes.count] {
            #expect(try refusal(Array(bytes[..<count]), failure: Gone()) == "it went away")
        }
    }

    @Test func aReaderThatGoesAway() throws {
        Signals.block([])
        let pipe = try SystemIO.Descriptor.pipe()
        let output = try Descriptor.duplicate(of: pipe.write.number)
        let bytes = try SampleImage.two().dockerArchive().bytes()
        _ = consume pipe
        var failure: ImageStreamError?
        do throws(ImageStreamError) {
            _ = try ImageStream.normalise(
                from: Pieces(bytes, of: 1000), to: output, as: nil,
                limits: ImageStreamLimits(maximumExpansion: 1 << 20))
        } catch {
            failure = error
        }
        #expect(failure != nil)
    }
}
