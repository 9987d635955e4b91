/// Follows a compressed stream from header to header, without unpacking it, and finds the windows
/// that it asks a decoder for: the memory for what the decoder has to look back on.
///
/// libarchive gives liblzma no memory limit and libzstd its default of 128 MiB, and the header of
/// every later stream, block or frame may ask for more than the first one. Both formats say how
/// long their parts are, so that every header is found. What cannot be followed is refused: the
/// decoder must never see a header that was not checked.
enum CompressionWindows {
    /// The window is the same for every stream of the format.
    case fixed(UInt64)
    case xz(XZWindows)
    case zstd(ZstandardWindows)

    init(_ compression: Compression) {
        switch compression {
        case .gzip: self = .fixed(32 << 10)
        // Of the largest block, 900 kB, with its tables (bzip2(1), "Memory Management").
        case .bzip2: self = .fixed(4 << 20)
        case .xz: self = .xz(XZWindows())
        case .zstd: self = .zstd(ZstandardWindows())
        }
    }

    /// The largest window of all headers so far, in bytes.
    var largest: UInt64 {
        switch self {
        case .fixed(let size): size
        case .xz(let windows): windows.largest
        case .zstd(let windows): windows.largest
        }
    }

    /// Follows the next bytes of the stream.
    ///
    /// - Throws: ``CompressionStructureError``.
    mutating func follow(
        _ bytes: UnsafeRawBufferPointer
    ) throws(CompressionStructureError) {
        switch self {
        case .fixed: break
        case .xz(var windows):
            try windows.follow(bytes)
            self = .xz(windows)
        case .zstd(var windows):
            try windows.follow(bytes)
            self = .zstd(windows)
        }
    }
}

/// A compressed stream whose headers break the rules of its format.
struct CompressionStructureError: Error {
    /// What is wrong, as the end of a sentence about the stream.
    var reason: String
}

/// Cuts a stream of bytes, however it comes in pieces, into the fields that a parser asks for.
struct FieldCutter {
    /// Bytes to pass over before the next field.
    private var skipped: UInt64 = 0
    private var wanted: Int
    private var field: [UInt8] = []

    /// - Parameter count: bytes of the first field, at least 1.
    init(first count: Int) { wanted = count }

    /// Says what follows the field that was just cut: `skip` bytes of no interest, and then a field
    /// of `count`, at least 1.
    mutating func expect(_ count: Int, after skip: UInt64 = 0) {
        wanted = count
        skipped = skip
    }

    /// The next field, once all of it has come.
    ///
    /// - Parameter bytes: what is left of the piece; what was used is removed from it.
    mutating func next(from bytes: inout UnsafeRawBufferPointer) -> [UInt8]? {
        let passed = Int(min(skipped, UInt64(bytes.count)))
        skipped -= UInt64(passed)
        let taken = skipped > 0 ? 0 : min(wanted - field.count, bytes.count - passed)
        field.append(contentsOf: bytes[passed..<passed + taken])
        bytes = UnsafeRawBufferPointer(rebasing: bytes[(passed + taken)...])
        guard field.count == wanted else { return nil }
        defer { field.removeAll(keepingCapacity: true) }
        return field
    }
}
