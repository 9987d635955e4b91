import CArchive
import Glibc

/// libarchive's reader: pulls bytes from a function, hands out entries and their content.
final class ArchiveReader {
    enum Format {
        case tar
        /// Any stream of bytes, of interest for its compression alone.
        case raw
    }

    typealias Source = () throws(ImageStreamError) -> UnsafeRawBufferPointer

    private let archive: OpaquePointer
    /// Lives as long as the C handle, which has an unretained pointer to it.
    private let input: Input
    private var entries = 0
    /// What is still to come of the content that the entry's header promises.
    private var promised: Int64 = 0

    private final class Input {
        let next: Source
        var failure: ImageStreamError?
        init(_ next: @escaping Source) { self.next = next }
    }

    init(_ format: Format, from source: @escaping Source) throws(ImageStreamError) {
        guard let archive = archive_read_new() else {
            throw .damaged(reason: "no memory to read it")
        }
        self.archive = archive
        input = Input(source)
        // Chosen one by one: "all" includes formats that libarchive has other programs unpack.
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_xz(archive)
        archive_read_support_filter_zstd(archive)
        switch format {
        case .tar: archive_read_support_format_tar(archive)
        case .raw: archive_read_support_format_raw(archive)
        }
        let status = archive_read_open(
            archive, Unmanaged.passUnretained(input).toOpaque(), nil,
            { _, context, buffer in
                guard let context, let buffer else { return -1 }
                let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
                do throws(ImageStreamError) {
                    let bytes = try input.next()
                    buffer.pointee = bytes.baseAddress
                    return bytes.count
                } catch {
                    input.failure = error
                    return -1
                }
            }, nil)
        try check(status)
    }

    deinit { archive_read_free(archive) }

    /// Bytes after decompression that have gone by.
    var bytesRead: Int64 { archive_filter_bytes(archive, 0) }

    /// The next entry's header, valid until the next call; nil at the archive's end.
    func nextEntry() throws(ImageStreamError) -> OpaquePointer? {
        var entry: OpaquePointer?
        let status = archive_read_next_header(archive, &entry)
        if status == ARCHIVE_EOF { return nil }
        try check(status)
        entries += 1
        // GNU's headers have a second size, and numbers below zero.
        let size = archive_entry_size(entry)
        guard size >= 0 else { throw .damaged(reason: "an entry is smaller than nothing") }
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
        // Before the first entry, EILSEQ says that no format and no compression matches.
        if entries == 0, archive_errno(archive) == EILSEQ { throw .notAnArchive }
        throw .damaged(reason: archive_error_string(archive).map { String(cString: $0) } ?? "?")
    }
}
