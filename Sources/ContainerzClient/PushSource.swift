import Glibc
import SystemIO

/// A tarball to push, whose size is known.
public final class PushSource: Sendable {
    /// In bytes.
    public let size: Int64
    private let descriptor: Descriptor
    private let version: Version

    /// What of a file changes when somebody writes to it.
    private struct Version: Equatable {
        var size: Int64
        var modified: Int
        var modifiedNanoseconds: Int

        init(_ status: stat) {
            size = Int64(status.st_size)
            modified = status.st_mtim.tv_sec
            modifiedNanoseconds = status.st_mtim.tv_nsec
        }
    }

    /// Somebody wrote to the file meanwhile, so that nobody knows what was sent.
    public struct Changed: Error, CustomStringConvertible {
        public var description: String { "the file was changed while it was sent" }
    }

    /// Opens a file.
    ///
    /// - Throws: `SystemError`, also when it is no regular file.
    public static func file(_ path: String) throws(SystemError) -> PushSource {
        let descriptor = try Descriptor.open(path, O_RDONLY)
        var status = stat()
        try check("fstat", on: path) { fstat(descriptor.number, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(
                "open", on: path, code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : ESPIPE)
        }
        return PushSource(descriptor, Version(status))
    }

    /// Reads standard input to its end into a file without a name, since a device wants to know
    /// the size first.
    ///
    /// - Throws: `SystemError`.
    public static func standardInput() throws(SystemError) -> PushSource {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
        let spool = try Descriptor.unnamedFile(in: folder)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try check("read", on: "standard input") {
                Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count)
            }
            if count == 0 { break }
            try spool.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        var status = stat()
        try check("fstat", on: folder) { fstat(spool.number, &status) }
        return PushSource(spool, Version(status))
    }

    private init(_ descriptor: consuming Descriptor, _ version: Version) {
        self.descriptor = descriptor
        self.version = version
        size = version.size
    }

    /// Makes sure that it is what it was when it was opened.
    ///
    /// - Throws: ``Changed``, or `SystemError`.
    func requireUnchanged() throws {
        var status = stat()
        try check("fstat") { fstat(descriptor.number, &status) }
        guard Version(status) == version else { throw Changed() }
    }

    /// Reads up to `count` bytes from `offset` on; none at the end.
    ///
    /// - Throws: `SystemError`.
    func read(_ count: Int, at offset: Int64) throws(SystemError) -> [UInt8] {
        let number = descriptor.number
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(SystemError) {
                while filled < count {
                    let read = try check("pread") {
                        pread(
                            number, buffer.baseAddress.map { $0 + filled }, count - filled,
                            off_t(offset) + off_t(filled))
                    }
                    if read == 0 { break }
                    filled += read
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
