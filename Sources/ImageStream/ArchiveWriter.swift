import CArchive
import Glibc
import SystemIO

/// libarchive's writer: a tar archive into a descriptor, nothing held back.
///
/// Unless ``finish()`` is called the archive has no end, which no reader takes for a whole one.
final class ArchiveWriter {
    private let archive: OpaquePointer
    private let entry: OpaquePointer
    /// Lives as long as the C handle, which has an unretained pointer to it.
    private let output: Output
    private var finished = false

    private final class Output {
        let take: (UnsafeRawBufferPointer) throws(SystemError) -> Void
        var failure: SystemError?
        var bytes: Int64 = 0
        /// Set when the archive is to have no end: what libarchive still writes is dropped.
        var abandoned = false
        init(_ take: @escaping (UnsafeRawBufferPointer) throws(SystemError) -> Void) {
            self.take = take
        }
    }

    convenience init(to descriptor: consuming Descriptor) throws(ImageStreamError) {
        let output = DescriptorOutput(descriptor)
        try self.init { bytes throws(SystemError) in try output.descriptor.writeAll(bytes) }
    }

    private final class DescriptorOutput {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// - Parameter output: takes the bytes of the archive as they come.
    init(
        to take: @escaping (UnsafeRawBufferPointer) throws(SystemError) -> Void
    ) throws(ImageStreamError) {
        guard let archive = archive_write_new() else {
            throw .output(SystemError("archive_write_new", code: ENOMEM))
        }
        guard let entry = archive_entry_new() else {
            archive_write_free(archive)
            throw .output(SystemError("archive_entry_new", code: ENOMEM))
        }
        self.archive = archive
        self.entry = entry
        output = Output(take)
        // ustar, with extended headers only where a file is larger than that allows.
        archive_write_set_format_pax_restricted(archive)
        // Names are bytes: libarchive would translate them by the process's locale, which has
        // ASCII alone.
        archive_write_set_format_option(archive, nil, "hdrcharset", "BINARY")
        archive_write_set_bytes_per_block(archive, 0)
        let status = archive_write_open(
            archive, Unmanaged.passUnretained(output).toOpaque(), nil,
            { _, context, bytes, count in
                guard let context else { return -1 }
                let output = Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
                if output.abandoned { return count }
                do throws(SystemError) {
                    try output.take(UnsafeRawBufferPointer(start: bytes, count: count))
                    output.bytes += Int64(count)
                    return count
                } catch {
                    output.failure = error
                    return -1
                }
            }, nil)
        try check(status, "archive_write_open")
    }

    deinit {
        if !finished {
            output.abandoned = true
            archive_write_fail(archive)
            // Freeing does not close what has failed, and only closing frees the output's buffer.
            archive_write_close(archive)
        }
        archive_entry_free(entry)
        archive_write_free(archive)
    }

    /// Bytes written so far.
    var bytesWritten: Int64 { output.bytes }

    /// Begins a file of exactly `size` bytes.
    func begin(_ name: String, size: Int64) throws(ImageStreamError) {
        archive_entry_clear(entry)
        archive_entry_set_pathname(entry, name)
        archive_entry_set_filetype(entry, cz_regular_file)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_size(entry, size)
        try check(archive_write_header(archive, entry), "archive_write_header")
    }

    func begin(folder name: String) throws(ImageStreamError) {
        archive_entry_clear(entry)
        archive_entry_set_pathname(entry, name)
        archive_entry_set_filetype(entry, cz_directory)
        archive_entry_set_perm(entry, 0o755)
        try check(archive_write_header(archive, entry), "archive_write_header")
    }

    /// Begins an entry that is another's in all but its name, where it is a hard link the name it
    /// is linked to, and its owner's names, which mean nothing on another machine.
    func begin(
        like other: OpaquePointer, named name: String, linkedTo target: String?
    ) throws(ImageStreamError) {
        let symlink = other.symlink
        archive_entry_copy_pathname(other, name)
        if let target { archive_entry_copy_hardlink(other, target) }
        if !symlink.isEmpty { archive_entry_copy_symlink(other, symlink) }
        archive_entry_copy_uname(other, nil)
        archive_entry_copy_gname(other, nil)
        try check(archive_write_header(archive, other), "archive_write_header")
    }

    /// More of the file's content.
    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageStreamError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            try check(count <= 0 ? ARCHIVE_FATAL : ARCHIVE_OK, "archive_write_data")
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func write(_ name: String, _ content: [UInt8]) throws(ImageStreamError) {
        try begin(name, size: Int64(content.count))
        try content.withUnsafeBufferPointer { bytes throws(ImageStreamError) in
            try write(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Ends the archive.
    func finish() throws(ImageStreamError) {
        try check(archive_write_close(archive), "archive_write_close")
        finished = true
    }

    private func check(_ status: CInt, _ call: String) throws(ImageStreamError) {
        guard status < ARCHIVE_WARN else { return }
        throw .output(output.failure ?? SystemError(call, code: archive_errno(archive)))
    }
}
