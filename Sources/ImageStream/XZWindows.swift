/// The dictionaries that an xz file asks for ("The .xz File Format", version 1.1.0): streams one
/// after the other, each of blocks, whose headers have the size, and whose data are chunks of LZMA2.
struct XZWindows {
    static let magic: [UInt8] = [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]

    private enum Part {
        case streamHeader
        /// The first byte of a block or of the index.
        case blockOrIndex
        case blockHeader
        case chunk
        case chunkSizes(control: UInt8)
        case recordCount
        /// The index's records, of two numbers each.
        case records(numbers: UInt64)
        /// After a stream: another one, or padding.
        case nextStream
        case restOfStreamHeader
    }

    private(set) var largest: UInt64 = 0
    private var part = Part.streamHeader
    private var cutter = FieldCutter(first: Self.headerSize)
    /// Bytes of the check after each block of the stream.
    private var checkSize: UInt64 = 0
    /// Bytes of the block's data or of the index so far, which are padded to a multiple of four.
    private var length: UInt64 = 0
    private var number = VariableInteger()

    /// Of a stream; its footer is as long.
    private static let headerSize = 12
    private static let footerSize: UInt64 = 12
    /// Of the index's CRC32.
    private static let indexCheckSize: UInt64 = 4
    private static let lzma2: UInt64 = 0x21
    /// Delta and the filters for machine code, which need no memory to speak of.
    private static let smallFilters: Set<UInt64> = [3, 4, 5, 6, 7, 8, 9, 0xA, 0xB]
    /// The sizes of the check by its identifier in the stream's header.
    private static let checkSizes: [UInt64] = [
        0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64,
    ]

    /// - Throws: ``CompressionStructureError``.
    mutating func follow(_ bytes: UnsafeRawBufferPointer) throws(CompressionStructureError) {
        var bytes = bytes
        while let field = cutter.next(from: &bytes) { try parse(field) }
    }

    private mutating func parse(_ field: [UInt8]) throws(CompressionStructureError) {
        switch part {
        case .streamHeader: try beginStream(field)
        case .blockOrIndex:
            if field[0] == 0 {
                length = 1
                expect(.recordCount, 1)
            } else {
                // Its size byte, which counts units of four, is part of the header.
                expect(.blockHeader, Int(field[0]) * 4 + 3)
            }
        case .blockHeader:
            largest = max(largest, try Self.dictionarySize(field))
            length = 0
            expect(.chunk, 1)
        case .chunk: try beginChunk(control: field[0])
        case .chunkSizes(let control):
            // Of LZMA: the low bytes of the size without compression come first.
            let size = control < 0x80 ? field[...] : field[2...]
            let data = UInt64(size[size.startIndex]) << 8 | UInt64(size[size.startIndex + 1])
            length += 1 + UInt64(field.count) + data + 1
            expect(.chunk, 1, after: data + 1)
        case .recordCount:
            length += 1
            guard let count = try number.append(field[0]) else { return expect(part, 1) }
            expectRecords(numbers: 2 * count)
        case .records(let numbers):
            length += 1
            guard try number.append(field[0]) != nil else { return expect(part, 1) }
            expectRecords(numbers: numbers - 1)
        case .nextStream:
            if field == [0, 0, 0, 0] { return expect(.nextStream, 4) }
            guard field.elementsEqual(Self.magic.prefix(4)) else { throw Self.broken }
            expect(.restOfStreamHeader, Self.headerSize - field.count)
        case .restOfStreamHeader: try beginStream(Self.magic.prefix(4) + field)
        }
    }

    private mutating func expect(_ part: Part, _ count: Int, after skip: UInt64 = 0) {
        self.part = part
        cutter.expect(count, after: skip)
    }

    private mutating func beginStream(_ header: [UInt8]) throws(CompressionStructureError) {
        guard header.starts(with: Self.magic), header[6] == 0, header[7] < 16 else {
            throw Self.broken
        }
        checkSize = Self.checkSizes[Int(header[7])]
        expect(.blockOrIndex, 1)
    }

    private mutating func beginChunk(control: UInt8) throws(CompressionStructureError) {
        switch control {
        case 0:
            length += 1
            expect(.blockOrIndex, 1, after: padding + checkSize)
        // Without compression.
        case 1, 2: expect(.chunkSizes(control: control), 2)
        case 0x80..<0xC0: expect(.chunkSizes(control: control), 4)
        // With new properties.
        case 0xC0...: expect(.chunkSizes(control: control), 5)
        default: throw Self.broken
        }
    }

    private mutating func expectRecords(numbers: UInt64) {
        if numbers > 0 {
            expect(.records(numbers: numbers), 1)
        } else {
            expect(.nextStream, 4, after: padding + Self.indexCheckSize + Self.footerSize)
        }
    }

    /// Bytes up to a multiple of four.
    private var padding: UInt64 { (4 - length % 4) % 4 }

    private static var broken: CompressionStructureError {
        CompressionStructureError(reason: "its xz structure is broken")
    }

    /// - Parameter header: of a block, without its first byte.
    private static func dictionarySize(
        _ header: [UInt8]
    ) throws(CompressionStructureError) -> UInt64 {
        // Without the CRC32.
        var rest = header.dropLast(4)
        guard let flags = rest.popFirst(), flags & 0x3C == 0 else { throw broken }
        // Compressed and uncompressed size, where they are given.
        for flag in [0x40, 0x80] as [UInt8] where flags & flag != 0 {
            _ = try VariableInteger.take(from: &rest)
        }
        for filter in 0...(flags & 3) {
            let identifier = try VariableInteger.take(from: &rest)
            let size = try VariableInteger.take(from: &rest)
            guard size <= UInt64(rest.count) else { throw broken }
            let properties = rest.prefix(Int(size))
            rest = rest.dropFirst(Int(size))
            if filter < flags & 3 {
                guard smallFilters.contains(identifier) else { throw unknownFilter(identifier) }
                continue
            }
            guard identifier == lzma2 else { throw unknownFilter(identifier) }
            guard properties.count == 1, let bits = properties.first, bits <= 40 else {
                throw broken
            }
            // 2^n or 2^n + 2^(n-1), from 4 KiB on; the last is 4 GiB - 1.
            return bits == 40 ? 0xFFFF_FFFF : UInt64(2 | bits & 1) << UInt64(bits / 2 + 11)
        }
        throw broken
    }

    private static func unknownFilter(_ identifier: UInt64) -> CompressionStructureError {
        CompressionStructureError(
            reason: "it has an xz filter that is not supported: \(identifier)")
    }
}

/// xz's numbers of 63 bits, seven in a byte, the lowest first.
struct VariableInteger {
    private var value: UInt64 = 0
    private var count = 0

    private static let maxBytes = 9

    /// Takes the number's next byte.
    ///
    /// - Returns: the number, once it is complete.
    mutating func append(_ byte: UInt8) throws(CompressionStructureError) -> UInt64? {
        value |= UInt64(byte & 0x7F) << UInt64(7 * count)
        count += 1
        if byte & 0x80 == 0 {
            defer { self = VariableInteger() }
            return value
        }
        guard count < Self.maxBytes else {
            throw CompressionStructureError(reason: "its xz structure is broken")
        }
        return nil
    }

    static func take(
        from bytes: inout ArraySlice<UInt8>
    ) throws(CompressionStructureError) -> UInt64 {
        var number = VariableInteger()
        while let byte = bytes.popFirst() {
            if let value = try number.append(byte) { return value }
        }
        throw CompressionStructureError(reason: "its xz structure is broken")
    }
}
