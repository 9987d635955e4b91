import ContentDigest
import OCI
import SystemIO
import Testing

@testable import ImageStream

private let mib: UInt64 = 1 << 20

/// Bytes that do not compress, and are the same each time.
private func noise(_ count: Int) -> [UInt8] {
    var state: UInt64 = 88_172_645_463_325_252
    return (0..<count).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state)
    }
}

/// A zstd frame whose blocks are not compressed.
///
/// - Parameters:
///   - window: the window descriptor's exponent of 2, from 10 on; nil for a single segment.
private func zstandardFrame(
    _ content: [UInt8], window: Int? = 20, checksum: [UInt8]? = nil
) -> [UInt8] {
    var frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    let checksumFlag: UInt8 = checksum == nil ? 0 : 4
    if let window {
        frame += [checksumFlag, UInt8((window - 10) << 3)]
    } else {
        // With eight bytes for the content's size.
        frame += [0xE0 | checksumFlag]
        frame += (0..<8).map { UInt8(truncatingIfNeeded: content.count >> ($0 * 8)) }
    }
    var rest = content[...]
    repeat {
        let piece = rest.prefix(1000)
        rest = rest.dropFirst(1000)
        let header = piece.count << 3 | (rest.isEmpty ? 1 : 0)
        frame += (0..<3).map { UInt8(truncatingIfNeeded: header >> ($0 * 8)) } + piece
    } while !rest.isEmpty
    return frame + (checksum ?? [])
}

/// An xz stream whose first block asks for another dictionary.
///
/// - Parameter size: as the filter's properties have it, LZMA2's dictionary size.
private func withDictionary(_ size: UInt8, _ stream: [UInt8]) -> [UInt8] {
    var stream = stream
    let end = 12 + (Int(stream[12]) + 1) * 4
    // Size, flags, and the one filter: LZMA2 with one byte of properties.
    guard stream[13] & 3 == 0, let filter = stream[14..<end].firstIndex(of: 0x21) else { return [] }
    stream[filter + 2] = size
    var check: UInt32 = 0xFFFF_FFFF
    for byte in stream[12..<end - 4] {
        check ^= UInt32(byte)
        for _ in 0..<8 { check = check & 1 == 1 ? check >> 1 ^ 0xEDB8_8320 : check >> 1 }
    }
    for index in 0..<4 {
        stream[end - 4 + index] = UInt8(truncatingIfNeeded: ~check >> (index * 8))
    }
    return stream
}

/// 64 MiB, 96 MiB and 1 GiB as LZMA2 has them.
private let largestDictionary: UInt8 = 28
private let tooLargeDictionaries: [(UInt8, UInt64)] = [(29, 96 * mib), (36, 1024 * mib)]

@Suite struct CompressionWindowsTests {
    private func windows(
        _ bytes: [UInt8], _ compression: Compression, piece: Int = 1000
    ) throws -> UInt64 {
        var windows = CompressionWindows(compression)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece.count)
            try piece.withUnsafeBytes { try windows.follow($0) }
        }
        return windows.largest
    }

    @Test(arguments: [
        (0, 256), (1, 1 << 10), (2, 2 << 10), (4, 4 << 10), (6, 8 << 10), (8, 32 << 10),
        (9, 64 << 10),
    ])
    func findsTheDictionaryOfEachLevelOfXZ(level: Int, kibibytes: UInt64) throws {
        let stream = try compressed(Array("content".utf8), .xz, level: level)
        #expect(try windows(stream, .xz) == kibibytes << 10)
    }

    @Test(arguments: [1, 7, 4096, 1 << 20])
    func findsTheDictionaryOfALaterXZStream(piece: Int) throws {
        // Several chunks with compression, and several without.
        let first = try compressed([UInt8](repeating: 1, count: 3 << 20), .xz, level: 0)
        let second = try compressed(noise(70_000), .xz, level: 1)
        let third = try compressed(Array("end".utf8), .xz, level: 9)
        let padding = [UInt8](repeating: 0, count: 8)
        #expect(try windows(first + second, .xz, piece: piece) == mib)
        #expect(try windows(first + padding + second + third, .xz, piece: piece) == 64 * mib)
    }

    @Test func refusesXZThatItCannotFollow() throws {
        let stream = try compressed(noise(1000), .xz, level: 0)
        #expect(throws: CompressionStructureError.self) { try windows(stream + [1, 2, 3, 4], .xz) }
        // A chunk with a control byte that is not defined.
        var broken = stream
        broken[12 + (Int(stream[12]) + 1) * 4] = 3
        #expect(throws: CompressionStructureError.self) { try windows(broken, .xz) }
        // Another filter than LZMA2: the first LZMA, which liblzma supports in other files.
        var unknown = stream
        unknown[14] = 0x20
        #expect(throws: CompressionStructureError.self) { try windows(unknown, .xz) }
    }

    @Test(arguments: [(1, 0.5), (19, 8)])
    func findsTheWindowOfRealZstandard(level: Int, mebibytes: Double) throws {
        let stream = try compressed(noise(150_000), .zstd, level: level)
        #expect(try windows(stream, .zstd) == UInt64(mebibytes * Double(mib)))
    }

    @Test(arguments: [1, 3, 4096])
    func findsTheWindowOfALaterZstandardFrame(piece: Int) throws {
        let skippable: [UInt8] = [0x53, 0x2A, 0x4D, 0x18, 5, 0, 0, 0, 0x28, 0xB5, 0x2F, 0xFD, 0]
        let first = zstandardFrame(noise(5000), checksum: [1, 2, 3, 4])
        let real = try compressed([UInt8](repeating: 1, count: 1 << 20), .zstd, level: 1)
        let last = zstandardFrame([1], window: 26)
        #expect(try windows(skippable + first, .zstd, piece: piece) == mib)
        #expect(
            try windows(first + skippable + real + last, .zstd, piece: piece) == 64 * mib)
    }

    @Test func theWindowOfASingleSegmentIsItsContent() throws {
        let frame = zstandardFrame(noise(70_000), window: nil)
        #expect(try windows(frame, .zstd) == 70_000)
        // With one byte, and with two, which count from 256 on.
        #expect(try windows([0x28, 0xB5, 0x2F, 0xFD, 0x20, 9], .zstd) == 9)
        #expect(try windows([0x28, 0xB5, 0x2F, 0xFD, 0x60, 9, 0], .zstd) == 265)
        // A dictionary's number comes first.
        #expect(
            try windows([0x28, 0xB5, 0x2F, 0xFD, 0xA3, 1, 1, 1, 1, 0, 0, 0, 5], .zstd) == 5 << 24)
    }

    @Test func refusesZstandardThatItCannotFollow() {
        #expect(throws: CompressionStructureError.self) {
            try windows(zstandardFrame([1]) + [0, 0, 0, 0], .zstd)
        }
        #expect(throws: CompressionStructureError.self) {
            try windows([0x28, 0xB5, 0x2F, 0xFD, 0, 0, 7, 0, 0], .zstd)
        }
    }

    @Test func recognizesCompressionsByTheirFirstBytes() throws {
        func recognized(_ bytes: [UInt8]) -> Compression? {
            bytes.withUnsafeBytes { Compression(signature: $0) }
        }
        for (kind, compression) in [
            (Archive.Compression.gzip, Compression.gzip), (.zstd, .zstd), (.xz, .xz),
        ] {
            #expect(recognized(try compressed([1], kind)) == compression)
        }
        #expect(recognized(Array("BZh91AY&SY".utf8)) == .bzip2)
        #expect(recognized(Array("BZhelp.txt".utf8)) == nil)
        #expect(recognized([0x1F, 0x8B]) == nil)
        #expect(recognized([]) == nil)
    }
}

@Suite struct DecoderBudgetTests {
    @Test func sharesAreBoundedTogetherAndGivenBack() {
        let budget = DecoderBudget(limit: 100)
        var first: DecoderBudget.Share? = budget.share()
        let second = budget.share()
        #expect(first?.grow(to: 60) == true)
        #expect(!second.grow(to: 41))
        #expect(second.grow(to: 40))
        // What it has is enough.
        #expect(second.grow(to: 30))
        #expect(first?.grow(to: 61) == false)
        first = nil
        #expect(second.grow(to: 100))
    }

    @Test func readersTakeFromTheBudgetForAsLongAsTheyLive() throws {
        let bytes = try SampleImage.two().dockerArchive().bytes(.xz)
        let budget = DecoderBudget(limit: 10 << 20)
        func reader() throws -> ArchiveReader {
            let pieces = Pieces(bytes, of: 1000)
            return try ArchiveReader(
                from: { () throws(ImageStreamError) in
                    do { return try pieces.next() } catch { throw .source(error) }
                }, limit: .max, budget: budget)
        }
        var first: ArchiveReader? = try reader()
        #expect(try first?.nextEntry() != nil)
        let error = #expect(throws: ImageStreamError.self) { _ = try reader() }
        #expect(error?.description.contains("try again later") == true)
        first = nil
        #expect(try reader().nextEntry() != nil)
    }
}

@Suite struct DecompressionLimitTests {
    private func refusal(_ bytes: [UInt8]) throws -> String {
        let error = #expect(throws: ImageStreamError.self) { _ = try normalise(bytes) }
        return try #require(error).description
    }

    /// An archive whose second layer is these bytes.
    private func archive(layer: [UInt8]) throws -> [UInt8] {
        var sample = try SampleImage.two()
        sample.layers[1] = layer
        return try sample.dockerArchive().bytes()
    }

    private func layer() throws -> [UInt8] {
        try Archive(entries: [.file("file", Array("two".utf8))]).bytes()
    }

    @Test func acceptsTheLargestWindows() throws {
        let plain = try SampleImage.two().dockerArchive().bytes()
        for bytes in [
            try compressed(plain, .xz, level: 9),
            withDictionary(largestDictionary, try compressed(plain, .xz, level: 0)),
            zstandardFrame(plain, window: 26), zstandardFrame(plain, window: nil),
            zstandardFrame(Array(plain[..<5000]), window: 26)
                + zstandardFrame(Array(plain[5000...]), window: 17),
            try compressed(Array(plain[..<3000]), .xz, level: 9)
                + compressed(Array(plain[3000...]), .xz, level: 1),
        ] {
            #expect(try normalise(bytes).manifest != nil)
        }
        for packed in [
            try compressed(layer(), .xz, level: 9), zstandardFrame(try layer(), window: 26),
        ] {
            #expect(try normalise(archive(layer: packed)).manifest != nil)
        }
    }

    @Test(arguments: tooLargeDictionaries)
    func refusesXZDictionariesOverTheLimit(dictionary: UInt8, size: UInt64) throws {
        let plain = try SampleImage.two().dockerArchive().bytes()
        let bad = withDictionary(dictionary, try compressed(plain, .xz))
        let text = "needs a decompression window of \(size) bytes, over the limit of 67108864 bytes"
        #expect(try refusal(bad).contains("the archive \(text)"))
        // In a stream after one that is within the limit.
        let later =
            try compressed(Array(plain[..<3000]), .xz, level: 0)
            + withDictionary(dictionary, compressed(Array(plain[3000...]), .xz))
        #expect(try refusal(later).contains("the archive \(text)"))
        let layer = withDictionary(dictionary, try compressed(layer(), .xz))
        #expect(
            try refusal(archive(layer: layer)).contains("'l1/layer.tar' in the archive \(text)"))
    }

    @Test func refusesZstandardWindowsOverTheLimit() throws {
        let plain = try SampleImage.two().dockerArchive().bytes()
        let text = "over the limit of 67108864 bytes"
        #expect(try refusal(zstandardFrame(plain, window: 27)).contains(text))
        #expect(try refusal(zstandardFrame(plain, window: 41)).contains(text))
        let later =
            zstandardFrame(Array(plain[..<3000]))
            + zstandardFrame(Array(plain[3000...]), window: 27)
        #expect(try refusal(later).contains("134217728 bytes, \(text)"))
        // One segment, of as much as its header says.
        let segment: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]
        #expect(try refusal(segment).contains("83886080 bytes, \(text)"))
        let packed = zstandardFrame(try layer(), window: 27)
        #expect(try refusal(archive(layer: packed)).contains("'l1/layer.tar' in the archive needs"))
    }

    @Test(
        arguments: [Archive.Compression.gzip, .zstd, .xz], [Archive.Compression.gzip, .zstd, .xz])
    func refusesWhatIsCompressedTwice(
        inner: Archive.Compression, outer: Archive.Compression
    ) throws {
        let archive = try compressed(SampleImage.two().dockerArchive().bytes(inner), outer)
        #expect(
            try refusal(archive)
                == "the archive is compressed more than once, with \(inner) and then \(outer); "
                + "compress it once")
        let layer = try compressed(compressed(layer(), inner), outer)
        #expect(
            try refusal(self.archive(layer: layer)).contains(
                "'l1/layer.tar' in the archive is compressed more than once"))
    }

    @Test func refusesAGzipHeaderWithoutEnd() throws {
        // With a file name, which libarchive reads as a whole.
        let header: [UInt8] = [0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 3]
        let name = [UInt8](repeating: 0x78, count: 4 << 20)
        #expect(try refusal(header + name).contains("its gzip header is over 1048576 bytes"))
        // Likewise of a later member.
        let first = try compressed(rawHeader("first", size: 100), .gzip)
        #expect(try refusal(first + header + name).contains("its gzip header is over"))
    }

    @Test(arguments: [Archive.Compression.none, .gzip])
    func refusesASparseMapOfMillionsOfParts(compression: Archive.Compression) throws {
        // libarchive keeps 40 bytes of each part, which takes 4 in the archive.
        func record(_ text: String) -> String {
            let length = text.utf8.count + 4
            return "\(length) \(text)\n"
        }
        let attributes = [
            "GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=sparse",
            "GNU.sparse.realsize=1",
        ].map(record).joined()
        let count = 1_000_000
        let map = Array("\(count)\n\(String(repeating: "0\n0\n", count: count))".utf8)
        func padded(_ bytes: [UInt8]) -> [UInt8] {
            bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
        }
        let archive =
            rawHeader("attributes", type: "x", size: attributes.utf8.count)
            + padded(Array(attributes.utf8)) + rawHeader("sparse", size: map.count) + padded(map)
        #expect(
            try refusal(compressed(archive, compression))
                == "the archive has more than 1048576 bytes of metadata")
    }
}
