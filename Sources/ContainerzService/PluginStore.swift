import Glibc
import ImageStream
import Synchronization
import SystemIO

/// The tarballs of plugins that were deployed: files in one folder, each of which appears under
/// its name when it is whole and on the disk. Its methods block, so they are for threads of their
/// own.
final class PluginStore: Sendable {
    private let folder: String
    private let prepared = Mutex<Folder?>(nil)

    private static let suffix = ".tar"
    /// Files that are being received; no plugin's name begins with a dot.
    private static let partialPrefix = ".partial-"

    init(_ folder: String) { self.folder = folder }

    /// Bytes that may still be written; nil where that cannot be told.
    func free() throws(SystemError) -> Int64? {
        FileSystemSpace(holding: try prepare().path)?.free
    }

    /// Receives a tarball and looks into it. One of that name that was there before is replaced
    /// when the new one is found to be right.
    ///
    /// - Throws: `ImageStreamError`, what the source throws, or `SystemError`.
    func receive(
        _ source: some ByteSource, as name: PluginName, limits: ImageStreamLimits
    ) throws {
        let folder = try prepare()
        let number = UInt64.random(in: 0...UInt64.max)
        let partial = "\(folder.path)/\(Self.partialPrefix)\(String(number, radix: 16))"
        let file = try Descriptor.open(partial, O_RDWR | O_CREAT | O_EXCL)
        var isPlaced = false
        defer { if !isPlaced { unlink(partial) } }
        // Says to other processes that somebody still writes to it.
        try check("flock", on: partial) { flock(file.number, LOCK_EX | LOCK_NB) }
        while true {
            let bytes = try source.next()
            if bytes.isEmpty { break }
            try file.writeAll(bytes)
        }
        try check("fsync", on: partial) { fsync(file.number) }
        _ = try PluginArchive(
            surveying: FileSource(try Descriptor.open(partial, O_RDONLY)), limits: limits)
        try check("rename", on: partial) { rename(partial, path(of: name)) }
        isPlaced = true
        try folder.synchronise()
    }

    /// - Returns: nil when there is no such tarball.
    func open(_ name: PluginName) throws(SystemError) -> Descriptor? {
        try Self.open(path(of: name))
    }

    /// - Returns: nil for what is not there, or is no file.
    private static func open(_ path: String) throws(SystemError) -> Descriptor? {
        do {
            // Without waiting for the other end of what may turn out to be a pipe.
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            guard try file.isFile() else { return nil }
            return file
        } catch  where error.code == ENOENT {
            return nil
        }
    }

    /// - Returns: whether there was such a tarball.
    func remove(_ name: PluginName) throws(SystemError) -> Bool {
        let folder = try prepare()
        do {
            try check("unlink", on: path(of: name)) { unlink(path(of: name)) }
        } catch  where error.code == ENOENT {
            return false
        }
        try folder.synchronise()
        return true
    }

    private func path(of name: PluginName) -> String { "\(folder)/\(name)\(Self.suffix)" }

    /// Makes the folder, and removes what a process that was killed left in it.
    private func prepare() throws(SystemError) -> Folder {
        try prepared.withLock { prepared throws(SystemError) in
            if let prepared { return prepared }
            let folder = try Folder(making: self.folder, mode: 0o700)
            try folder.requireOwn()
            for name in try folder.names() where name.hasPrefix(Self.partialPrefix) {
                let path = "\(folder.path)/\(name)"
                guard let file = try? Self.open(path),
                    flock(file.number, LOCK_EX | LOCK_NB) == 0
                else { continue }
                unlink(path)
            }
            prepared = folder
            return folder
        }
    }
}
