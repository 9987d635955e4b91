import CArchive
import Glibc

/// Takes one compression off a stream: the one owner of a libarchive handle with a single filter,
/// which is chosen here, so that libarchive does not look for another one in what comes out.
final class Decompressor {
    /// The largest window, in bytes: what xz -9 and zstd --long=26 need. Tools use 8 MiB or less
    /// unless they are asked for more.
    static let maxWindow: UInt64 = 64 << 20
    /// What a decoder needs beside its window: blocks in and out, and tables.
    private static let overhead: UInt64 = 512 << 10
    /// Bytes of a gzip stream that may bring nothing: a header has a name and a comment of any
    /// length, which libarchive looks for the ends of in memory.
    private static let maxInputWithoutOutput = 1 << 20

    private let archive: OpaquePointer
    /// Lives as long as the C handle, which has an unretained pointer to it.
    private let input: Input
    let compression: Compression
    private var isOpen = false

    private final class Input {
        private let source: SlicedSource
        private let compression: Compression
        /// What is being unpacked, for messages.
        private let subject: String
        private var windows: CompressionWindows
        private let share: DecoderBudget.Share
        private let budget: DecoderBudget
        private var sinceOutput = 0
        private(set) var failure: ImageStreamError?

        init(
            _ compression: Compression, of subject: String,
            from source: @escaping ArchiveReader.Source, _ budget: DecoderBudget
        ) {
            self.compression = compression
            self.subject = subject
            self.source = SlicedSource(source)
            self.budget = budget
            windows = CompressionWindows(compression)
            share = budget.share()
        }

        func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
            do throws(ImageStreamError) {
                let bytes = try source.next()
                do throws(CompressionStructureError) {
                    try windows.follow(bytes)
                } catch {
                    throw .damaged(reason: error.reason)
                }
                try reserve()
                sinceOutput += bytes.count
                guard compression != .gzip || sinceOutput <= maxInputWithoutOutput else {
                    let reason = "its gzip header is over \(maxInputWithoutOutput) bytes"
                    throw .damaged(reason: reason)
                }
                return bytes
            } catch {
                failure = error
                throw error
            }
        }

        /// Before the decoder sees the headers that ask for the memory.
        private func reserve() throws(ImageStreamError) {
            let window = windows.largest
            guard window <= maxWindow else {
                throw .windowTooLarge(
                    subject, compression: compression.rawValue, window: window, limit: maxWindow)
            }
            let needed = Int(window + overhead)
            guard share.grow(to: needed) else {
                throw .decodersBusy(subject, needed: needed, limit: budget.limit)
            }
        }

        func outputCame() { sinceOutput = 0 }
    }

    /// - Parameters:
    ///   - subject: what is unpacked, for messages.
    ///   - source: the compressed bytes.
    init(
        _ compression: Compression, of subject: String,
        from source: @escaping ArchiveReader.Source, budget: DecoderBudget
    ) throws(ImageStreamError) {
        guard let archive = archive_read_new() else {
            throw .damaged(reason: "no memory to read it")
        }
        self.archive = archive
        self.compression = compression
        input = Input(compression, of: subject, from: source, budget)
        archive_read_support_format_raw(archive)
        guard archive_read_append_filter(archive, compression.filter) == ARCHIVE_OK else {
            throw .damaged(reason: "libarchive does not support \(compression.rawValue)")
        }
    }

    deinit { archive_read_free(archive) }

    /// The next bytes without the compression, valid until the next call; empty at the end.
    func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        if !isOpen {
            isOpen = true
            try open()
        }
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        while true {
            let status = archive_read_data_block(archive, &start, &count, &offset)
            if status == ARCHIVE_EOF { return UnsafeRawBufferPointer(start: nil, count: 0) }
            try check(status)
            if count > 0 {
                input.outputCame()
                return UnsafeRawBufferPointer(start: start, count: count)
            }
        }
    }

    private func open() throws(ImageStreamError) {
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(input).toOpaque(), nil,
            { _, context, buffer in
                guard let context, let buffer else { return -1 }
                let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                guard let bytes = try? input.next() else { return -1 }
                buffer.pointee = bytes.baseAddress
                return bytes.count
            }, nil)
        if let failure = input.failure { throw failure }
        // It recognizes anything with a byte of content.
        guard status >= ARCHIVE_WARN else {
            throw .damaged(reason: "its \(compression.rawValue) data has no content")
        }
        var entry: OpaquePointer?
        try check(archive_read_next_header(archive, &entry))
    }

    private func check(_ status: CInt) throws(ImageStreamError) {
        if let failure = input.failure { throw failure }
        guard status < ARCHIVE_WARN else { return }
        throw .damaged(reason: archive_error_string(archive).map { String(cString: $0) } ?? "?")
    }
}

/// A source's bytes in pieces that are not too large, so that limits are checked often enough.
final class SlicedSource {
    private let source: ArchiveReader.Source
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    /// Enough for a fast pipe.
    private static let pieceSize = 256 << 10

    init(_ source: @escaping ArchiveReader.Source) { self.source = source }

    /// The next piece, valid until the next call; empty at the end.
    func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        if rest.isEmpty { rest = try source() }
        let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceSize))
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(Self.pieceSize))
        return piece
    }
}

/// A source whose first bytes can be looked at before they are taken.
final class PeekedSource {
    private let source: ArchiveReader.Source
    private let storage: UnsafeMutableRawBufferPointer
    private var count = 0
    private var headIsNext = true
    /// What came with the head's last bytes.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    /// Reads the first `size` bytes, or fewer where there are no more, however finely the source
    /// cuts them.
    init(_ source: @escaping ArchiveReader.Source, head size: Int) throws(ImageStreamError) {
        self.source = source
        storage = .allocate(byteCount: size, alignment: 16)
        while count < size {
            let piece = try source()
            if piece.isEmpty { break }
            let taken = min(piece.count, size - count)
            UnsafeMutableRawBufferPointer(rebasing: storage[count...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: piece.prefix(taken)))
            count += taken
            rest = UnsafeRawBufferPointer(rebasing: piece.dropFirst(taken))
        }
    }

    deinit { storage.deallocate() }

    /// The first bytes.
    var head: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

    /// The next piece, from the beginning on, valid until the next call; empty at the end.
    func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        if headIsNext {
            headIsNext = false
            if count > 0 { return head }
        }
        if !rest.isEmpty {
            defer { rest = UnsafeRawBufferPointer(start: nil, count: 0) }
            return rest
        }
        return try source()
    }

    /// The compression by its first bytes. A tar archive has none, though the name of its first
    /// file may look like one.
    var compression: Compression? {
        let isTar = head.dropFirst(257).starts(with: "ustar".utf8)
        return isTar ? nil : Compression(signature: head)
    }
}
