/// The windows that a zstd file asks for (RFC 8878, section 3.1): frames one after the other, each
/// of a header and blocks, and skippable frames between them.
struct ZstandardWindows {
    private enum Part {
        case magic
        case skippableSize
        case descriptor
        case header(descriptor: UInt8)
        case block(hasChecksum: Bool)
    }

    private(set) var largest: UInt64 = 0
    private var part = Part.magic
    private var cutter = FieldCutter(first: 4)

    private static let magic: UInt32 = 0xFD2F_B528
    private static let skippable: ClosedRange<UInt32> = 0x184D_2A50...0x184D_2A5F
    private static let checksumSize: UInt64 = 4

    /// Whether a magic number begins a frame of either kind.
    static func isFrame(_ magic: UInt32) -> Bool {
        magic == Self.magic || skippable.contains(magic)
    }

    /// - Throws: ``CompressionStructureError``.
    mutating func follow(_ bytes: UnsafeRawBufferPointer) throws(CompressionStructureError) {
        var bytes = bytes
        while let field = cutter.next(from: &bytes) { try parse(field) }
    }

    private mutating func parse(_ field: [UInt8]) throws(CompressionStructureError) {
        switch part {
        case .magic:
            let magic = UInt32(truncatingIfNeeded: Self.integer(field[...]))
            if magic == Self.magic {
                expect(.descriptor, 1)
            } else if Self.skippable.contains(magic) {
                expect(.skippableSize, 4)
            } else {
                throw CompressionStructureError(reason: "a zstd frame begins with no magic number")
            }
        case .skippableSize: expect(.magic, 4, after: Self.integer(field[...]))
        case .descriptor:
            let descriptor = field[0]
            expect(
                .header(descriptor: descriptor),
                Self.windowSize(descriptor) + Self.dictionarySize(descriptor)
                    + Self.contentSize(descriptor))
        case .header(let descriptor):
            largest = max(largest, Self.window(descriptor, field))
            expect(.block(hasChecksum: descriptor & 4 != 0), 3)
        case .block(let hasChecksum):
            let header = Self.integer(field[...])
            // Of a block that repeats one byte, the size is how often.
            let kind = header >> 1 & 3
            let size = kind == 1 ? 1 : header >> 3
            guard kind < 3 else {
                throw CompressionStructureError(reason: "a zstd block has a reserved type")
            }
            if header & 1 == 0 {
                expect(part, 3, after: size)
            } else {
                expect(.magic, 4, after: size + (hasChecksum ? Self.checksumSize : 0))
            }
        }
    }

    private mutating func expect(_ part: Part, _ count: Int, after skip: UInt64 = 0) {
        self.part = part
        cutter.expect(count, after: skip)
    }

    private static func isSingleSegment(_ descriptor: UInt8) -> Bool { descriptor & 0x20 != 0 }

    /// Bytes of the window descriptor in a frame's header.
    private static func windowSize(_ descriptor: UInt8) -> Int {
        isSingleSegment(descriptor) ? 0 : 1
    }

    /// Bytes of the dictionary's number.
    private static func dictionarySize(_ descriptor: UInt8) -> Int {
        [0, 1, 2, 4][Int(descriptor & 3)]
    }

    /// Bytes of the frame's content size.
    private static func contentSize(_ descriptor: UInt8) -> Int {
        let flag = Int(descriptor >> 6)
        return flag == 0 ? (isSingleSegment(descriptor) ? 1 : 0) : 1 << flag
    }

    /// - Parameter header: of a frame, after its descriptor.
    private static func window(_ descriptor: UInt8, _ header: [UInt8]) -> UInt64 {
        if isSingleSegment(descriptor) {
            // All of the content is kept, so its size is the window.
            let size = integer(header.dropFirst(dictionarySize(descriptor)))
            // Two bytes count from 256 on.
            return contentSize(descriptor) == 2 ? size + 256 : size
        }
        let base = UInt64(1) << UInt64(10 + header[0] >> 3)
        return base + base / 8 * UInt64(header[0] & 7)
    }

    /// The little-endian number of up to eight bytes.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
