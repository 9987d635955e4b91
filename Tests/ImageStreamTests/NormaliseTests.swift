import CArchive
import ContentDigest
import FoundationEssentials
import Glibc
import OCI
import SystemIO
import Testing

@testable import ImageStream

/// What went in, what came out.
struct Passed {
    var image: NormalisedImage
    var entries: [(name: String, content: [UInt8])]

    func content(_ name: String) -> [UInt8]? { entries.first { $0.name == name }?.content }

    var manifest: DockerManifest? {
        get throws {
            try content("manifest.json").flatMap {
                try JSONDecoder().decode([DockerManifest].self, from: Data($0)).first
            }
        }
    }
}

func normalise(
    _ bytes: [UInt8], as name: String? = "wanted:1", pieces: Int = 64 << 10,
    limit: Int64 = 1 << 30
) throws -> Passed {
    let file = TemporaryFile()
    var image: NormalisedImage?
    try file.withDescriptor { number in
        image = try ImageStream.normalise(
            from: Pieces(bytes, of: pieces),
            to: SystemIO.Descriptor(owning: dup(number)),
            as: try name.map { try ImageReference(parsing: $0) },
            limits: ImageStreamLimits(maximumExpansion: limit))
    }
    let written = try file.read()
    let reader = try ArchiveReader(
        from: closure(over: Pieces(written, of: 4096)), limit: .max)
    var entries: [(String, [UInt8])] = []
    while let entry = try reader.nextEntry() {
        var content: [UInt8] = []
        while case let block = try reader.nextBlock(), !block.isEmpty { content += block }
        entries.append((String(cString: archive_entry_pathname(entry)), content))
    }
    let passed = try #require(image)
    #expect(passed.size == written.count)
    return Passed(image: passed, entries: entries)
}

private func closure(over pieces: Pieces) -> ArchiveReader.Source {
    { () throws(ImageStreamError) in
        do { return try pieces.next() } catch { throw .source(error) }
    }
}

@Suite struct NormaliseTests {
    @Test(arguments: [1, 7, 512, 1000, 1 << 20])
    func aDockerArchiveKeepsItsLayersAndGetsTheNameAskedFor(pieces: Int) throws {
        let sample = try SampleImage.two()
        let passed = try normalise(try sample.dockerArchive().bytes(), pieces: pieces)
        let manifest = try #require(try passed.manifest)
        #expect(manifest.repoTags == ["wanted:1"])
        #expect(manifest.layers.map(passed.content) == sample.layers)
        #expect(passed.content(manifest.config) == (try sample.config))
        #expect(passed.image.configDigest == ContentHash.digest(of: try sample.config))
        #expect(passed.entries.last?.name == "manifest.json")
    }

    @Test func theSameImageGivesTheSameBytes() throws {
        let bytes = try SampleImage.two().dockerArchive().bytes()
        // Unsorted keys would come in another order every few times.
        let documents = try (0..<50).map { _ in try normalise(bytes).content("manifest.json") }
        #expect(Set(documents).count == 1)
    }

    @Test func anOCIArchiveBecomesADockerArchive() throws {
        let sample = try SampleImage.two(.gzip)
        let passed = try normalise(try sample.ociArchive().bytes())
        let manifest = try #require(try passed.manifest)
        #expect(manifest.layers.map(passed.content) == sample.layers)
    }

    @Test(arguments: [Archive.Compression.gzip, .zstd, .xz])
    func compressedArchivesAndLayersAreUnderstood(compression: Archive.Compression) throws {
        let sample = try SampleImage.two(compression)
        let passed = try normalise(try sample.dockerArchive().bytes(compression), pieces: 100)
        #expect(try #require(try passed.manifest).layers.map(passed.content) == sample.layers)
    }

    @Test func theManifestMayComeFirst() throws {
        var archive = try SampleImage.two().dockerArchive()
        archive.entries.insert(archive.entries.removeLast(), at: 0)
        #expect(try normalise(try archive.bytes()).manifest?.layers.count == 2)
    }

    @Test func linksStandForTheLayersTheyLeadTo() throws {
        var sample = try SampleImage.two()
        sample.layers[1] = sample.layers[0]
        sample.diffIDs[1] = sample.diffIDs[0]
        var archive = try sample.dockerArchive()
        archive.entries[2] = .symlink("l1/layer.tar", to: "../l0/layer.tar")
        let passed = try normalise(try archive.bytes())
        #expect(try #require(try passed.manifest).layers == ["1.tar", "1.tar"])
    }

    @Test func withoutANameTheArchivesOwnIsTaken() throws {
        let sample = try SampleImage.two()
        let docker = try sample.dockerArchive(tags: ["docker.io/library/own:2"]).bytes()
        #expect(try normalise(docker, as: nil).image.name.tagged == "own:2")
        let oci = try sample.ociArchive(
            annotations: ["org.opencontainers.image.ref.name": "localhost/own:3"])
        #expect(try normalise(try oci.bytes(), as: nil).image.name.tagged == "own:3")
    }

    @Test func ofSeveralPlatformsThisMachinesIsTaken() throws {
        let archive = try SampleImage.two().ociArchive(platforms: [
            .current, Platform(os: "linux", architecture: "pdp11"),
        ])
        #expect(try normalise(try archive.bytes()).manifest?.layers.count == 2)
    }

    @Test func whatFollowsTheArchiveIsReadToItsEnd() throws {
        let bytes = try SampleImage.two().dockerArchive().bytes()
        let source = Pieces(bytes + [UInt8](repeating: 0, count: 1 << 20), of: 1000)
        let file = TemporaryFile()
        try file.withDescriptor { number in
            _ = try ImageStream.normalise(
                from: source, to: SystemIO.Descriptor(owning: dup(number)),
                as: try ImageReference(parsing: "a"),
                limits: ImageStreamLimits(maximumExpansion: 1 << 20))
        }
        #expect(try source.next().isEmpty)
    }
}
