import CArchive
import Glibc

/// libarchive's reader of tar archives: pulls bytes from a function, takes their compression off,
/// hands out entries and their content.
final class ArchiveReader {
    typealias Source = () throws(ImageStreamError) -> UnsafeRawBufferPointer

    /// Bytes that the headers of one entry may take: its own, and those for long names, extended
    /// attributes and the parts of a sparse file. libarchive keeps all of that in memory, of a
    /// sparse file's parts ten times as much. Linux has 64 KiB of attributes for a file.
    private static let maxHeaderSize: Int64 = 1 << 20

    private let archive: OpaquePointer
    /// Lives as long as the C handle, which has an unretained pointer to it.
    private let input: Input
    private var entries = 0
    private var isInsideEntry = false
    /// What is still to come of the content that the entry's header promises.
    private var promised: Int64 = 0

    private final class Input {
        private let source: SlicedSource
        private let limit: Int64
        private var count: Int64 = 0
        /// Where the headers of an entry must have ended, while they are being read.
        private var headerLimit: Int64?
        private(set) var failure: ImageStreamError?

        init(_ source: @escaping Source, limit: Int64) {
            self.source = SlicedSource(source)
            self.limit = limit
        }

        func next() throws(ImageStreamError) -> UnsafeRawBufferPointer {
            do throws(ImageStreamError) {
                let bytes = try source.next()
                count += Int64(bytes.count)
                guard count <= limit else { throw .tooLarge(limit: limit) }
                if let headerLimit, count > headerLimit {
                    throw .tooMuchMetadata(limit: Int(ArchiveReader.maxHeaderSize))
                }
                return bytes
            } catch {
                failure = error
                throw error
            }
        }

        func headersBegin() { headerLimit = count + ArchiveReader.maxHeaderSize }
        func headersEnd() { headerLimit = nil }
    }

    /// - Parameters:
    ///   - source: the archive's bytes, with or without compression.
    ///   - limit: the most bytes it may have without compression.
    init(
        from source: @escaping Source, limit: Int64, budget: DecoderBudget = .shared
    ) throws(ImageStreamError) {
        guard let archive = archive_read_new() else {
            throw .damaged(reason: "no memory to read it")
        }
        self.archive = archive
        archive_read_support_format_tar(archive)
        input = Input(try Self.unpacked(source, budget), limit: limit)
        input.headersBegin()
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(input).toOpaque(), nil,
            { _, context, buffer in
                guard let context, let buffer else { return -1 }
                let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                guard let bytes = try? input.next() else { return -1 }
                buffer.pointee = bytes.baseAddress
                return bytes.count
            }, nil)
        try check(status)
    }

    deinit { archive_read_free(archive) }

    /// Takes the compression off, if there is one. libarchive is not asked to: it would take off
    /// as many as there are, each with memory of its own.
    private static func unpacked(
        _ source: @escaping Source, _ budget: DecoderBudget
    ) throws(ImageStreamError) -> Source {
        let subject = "the archive"
        let packed = try PeekedSource(source, head: ImageStream.headSize)
        guard let compression = packed.compression else {
            return { () throws(ImageStreamError) in try packed.next() }
        }
        let decompressor = try Decompressor(
            compression, of: subject, from: { () throws(ImageStreamError) in try packed.next() },
            budget: budget)
        return try decompressor.content(of: subject)
    }

    /// Bytes after decompression that have gone by.
    var bytesRead: Int64 { archive_filter_bytes(archive, 0) }

    /// The next entry's header, valid until the next call; nil at the archive's end.
    func nextEntry() throws(ImageStreamError) -> OpaquePointer? {
        // libarchive would pass over the rest by itself, as part of reading the next header.
        if isInsideEntry { while try !nextBlock().isEmpty {} }
        isInsideEntry = false
        input.headersBegin()
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        input.headersEnd()
        if status == ARCHIVE_EOF {
            if let failure = input.failure { throw failure }
            return nil
        }
        try check(status)
        entries += 1
        isInsideEntry = true
        // GNU's headers have a second size, and numbers below zero.
        let size = archive_entry_size(entry)
        guard size >= 0 else { throw .damaged(reason: "entry has a negative size") }
        let isFile = archive_entry_filetype(entry) == cz_regular_file
        promised = isFile && archive_entry_hardlink(entry) == nil ? size : 0
        return entry
    }

    /// The next piece of the entry's content, valid until the next call; empty at its end.
    ///
    /// An entry with less content than its header says is damaged: whoever passes it on would
    /// make up the rest, however much that is.
    func nextBlock() throws(ImageStreamError) -> UnsafeRawBufferPointer {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        while true {
            let status = archive_read_data_block(archive, &start, &count, &offset)
            if status == ARCHIVE_EOF {
                guard promised <= 0 else {
                    throw .damaged(reason: "an entry has less content than it says")
                }
                isInsideEntry = false
                return UnsafeRawBufferPointer(start: nil, count: 0)
            }
            try check(status)
            promised -= Int64(count)
            if count > 0 { return UnsafeRawBufferPointer(start: start, count: count) }
        }
    }

    private func check(_ status: CInt) throws(ImageStreamError) {
        if let failure = input.failure { throw failure }
        guard status < ARCHIVE_WARN else { return }
        // Before the first entry, EILSEQ says that it is no tar archive.
        if entries == 0, archive_errno(archive) == EILSEQ { throw .notAnArchive }
        throw .damaged(reason: archive_error_string(archive).map { String(cString: $0) } ?? "?")
    }
}

extension Decompressor {
    /// All of the content, which must not be compressed again.
    ///
    /// - Parameter subject: what is unpacked, for messages.
    func content(of subject: String) throws(ImageStreamError) -> ArchiveReader.Source {
        let unpacked = try PeekedSource(
            { () throws(ImageStreamError) in try self.next() }, head: ImageStream.headSize)
        if let second = unpacked.compression {
            throw .compressedTwice(
                subject, inner: second.rawValue, outer: compression.rawValue)
        }
        return { () throws(ImageStreamError) in try unpacked.next() }
    }
}
