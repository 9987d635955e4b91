import CArchive

/// A compression that an archive, or a layer in it, may have. Others are not read: libarchive has
/// other programs unpack some of them, and no image tool writes them.
enum Compression: String, Hashable, Sendable, CaseIterable {
    case gzip
    case bzip2
    case xz
    case zstd

    /// Bytes that are enough to recognize each.
    static let signatureSize = 10

    /// Recognizes the compression by the first bytes of a stream, of which there may be fewer
    /// than ``signatureSize``; nil when it has none.
    init?(signature bytes: UnsafeRawBufferPointer) {
        func begins(_ signature: [UInt8], at offset: Int = 0) -> Bool {
            bytes.dropFirst(offset).starts(with: signature)
        }
        if begins([0x1F, 0x8B, 8]), bytes.count > 3, bytes[3] & 0xE0 == 0 {
            self = .gzip
        } else if begins(Array("BZh".utf8)), bytes.count > 3, (0x31...0x39).contains(bytes[3]),
            // The first block, or the end where there is none.
            begins([0x31, 0x41, 0x59, 0x26, 0x53, 0x59], at: 4)
                || begins([0x17, 0x72, 0x45, 0x38, 0x50, 0x90], at: 4)
        {
            self = .bzip2
        } else if begins(XZWindows.magic) {
            self = .xz
        } else if bytes.count >= 4,
            ZstandardWindows.isFrame(bytes.loadUnaligned(as: UInt32.self).littleEndian)
        {
            self = .zstd
        } else {
            return nil
        }
    }

    /// libarchive's number for it.
    var filter: CInt {
        switch self {
        case .gzip: ARCHIVE_FILTER_GZIP
        case .bzip2: ARCHIVE_FILTER_BZIP2
        case .xz: ARCHIVE_FILTER_XZ
        case .zstd: ARCHIVE_FILTER_ZSTD
        }
    }
}
