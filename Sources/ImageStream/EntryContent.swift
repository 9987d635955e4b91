import Glibc

/// An entry's content, in pieces, after a look at its first bytes.
final class EntryContent {
    private let reader: ArchiveReader
    private let expansion: Int64
    private let head: UnsafeMutableRawBufferPointer
    private var headCount = 0
    private var headIsNext = true
    /// What came with the head's last bytes.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    /// - Parameter expansion: the most bytes the archive may have without its compression.
    init(of reader: ArchiveReader, expansion: Int64) {
        self.reader = reader
        self.expansion = expansion
        head = .allocate(byteCount: ImageStream.headSize, alignment: 16)
    }

    deinit { head.deallocate() }

    /// Reads the first bytes, however finely the source cuts them.
    func readHead() throws(ImageStreamError) {
        while headCount < head.count {
            let block = try reader.nextBlock()
            if block.isEmpty { return }
            let count = min(block.count, head.count - headCount)
            UnsafeMutableRawBufferPointer(rebasing: head[headCount...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<count]))
            headCount += count
            rest = UnsafeRawBufferPointer(rebasing: block[count...])
        }
    }

    /// The next piece, valid until the next call; empty at the end.
    func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        if headIsNext {
            headIsNext = false
            if headCount > 0 { return UnsafeRawBufferPointer(rebasing: head[..<headCount]) }
        }
        if !rest.isEmpty {
            defer { rest = UnsafeRawBufferPointer(start: nil, count: 0) }
            return rest
        }
        let block = try reader.nextBlock()
        guard reader.bytesRead <= expansion else { throw .tooLarge(limit: expansion) }
        return block
    }

    /// Whether it begins like a JSON object or list and is no tar archive, which might begin
    /// with a file of such a name.
    var looksLikeJSON: Bool {
        let bracket = begins("{") || begins("[")
        return bracket && !begins("ustar", at: 257)
    }

    /// Whether it begins with the magic number of a compression that layers come in.
    var isCompressed: Bool {
        begins([0x1F, 0x8B]) || begins([0x28, 0xB5, 0x2F, 0xFD])
            || begins([0xFD, 0x37, 0x7A, 0x58, 0x5A]) || begins("BZh")
    }

    private func begins(_ text: StaticString, at offset: Int = 0) -> Bool {
        begins(text.withUTF8Buffer { Array($0) }, at: offset)
    }

    private func begins(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
        guard offset + bytes.count <= headCount else { return false }
        return head[offset..<offset + bytes.count].elementsEqual(bytes)
    }
}
