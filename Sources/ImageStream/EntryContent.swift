import Glibc

/// An entry's content, in pieces, after a look at its first bytes.
final class EntryContent {
    private let reader: ArchiveReader
    private let source: PeekedSource
    private let expansion: Int64

    /// Reads the first bytes.
    ///
    /// - Parameter expansion: the most bytes the archive may have without its compression.
    init(of reader: ArchiveReader, expansion: Int64) throws(ImageStreamError) {
        self.reader = reader
        self.expansion = expansion
        source = try PeekedSource(
            { () throws(ImageStreamError) in try reader.nextBlock() }, head: ImageStream.headSize)
    }

    /// The next piece, valid until the next call; empty at the end.
    func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        let block = try source.next()
        guard reader.bytesRead <= expansion else { throw .tooLarge(limit: expansion) }
        return block
    }

    /// Whether it begins like a JSON object or list and is no tar archive, which might begin
    /// with a file of such a name.
    var looksLikeJSON: Bool {
        let head = source.head
        let bracket = head.first == UInt8(ascii: "{") || head.first == UInt8(ascii: "[")
        return bracket && !head.dropFirst(257).starts(with: "ustar".utf8)
    }

    /// The compression of the layer, if it has one.
    var compression: Compression? { source.compression }
}
