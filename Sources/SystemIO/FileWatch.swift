import CSystem
import Glibc

/// Tells when one of a few files may have changed: written, replaced, made or removed.
///
/// The folders are watched rather than the files, since files that matter are replaced by
/// renaming; several changes in a row are told once. A file reached through symbolic links is
/// told of when a link in its own folder changes, as with certificates that are rotated by a
/// link; what changes further away is for SIGHUP.
@EventLoop
public final class FileWatch {
    private let descriptor: Descriptor
    private var watch: Watch?
    private var timer: EventLoop.Timer?
    private let files: [String]
    private let handler: @EventLoop () -> Void
    private var state: [Fingerprint?]

    /// Long enough for a certificate and its key to be written one after the other.
    private static let patience: Duration = .milliseconds(200)

    /// What changes when a file does.
    private struct Fingerprint: Hashable {
        var device: UInt64
        var inode: UInt64
        var size: Int64
        var modified: [Int]

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = [
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                status.st_ctim.tv_nsec,
            ]
        }
    }

    /// - Throws: `SystemError` when a folder cannot be watched.
    public init(
        _ files: [String], _ handler: @escaping @EventLoop () -> Void
    ) throws(SystemError) {
        self.files = files
        self.handler = handler
        state = files.map { Fingerprint($0) }
        let number = try check("inotify_init1") {
            inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        }
        descriptor = Descriptor(owning: number)
        for folder in Set(files.map(Self.folder)) {
            try check("inotify_add_watch", on: folder) {
                inotify_add_watch(
                    number, folder,
                    UInt32(
                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE
                            | IN_ATTRIB))
            }
        }
        watch = try Watch(number, for: .readable) { [weak self] _ in self?.drain() }
    }

    public func cancel() {
        watch?.cancel()
        watch = nil
        timer?.cancel()
        timer = nil
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Which file it was does not matter: what they look like now does.
    private func drain() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while read(descriptor.number, buffer.baseAddress, buffer.count) > 0 {}
        }
        guard timer == nil else { return }
        timer = EventLoop.Timer(after: Self.patience) { [weak self] in self?.compare() }
    }

    private func compare() {
        timer = nil
        let now = files.map { Fingerprint($0) }
        guard now != state else { return }
        state = now
        handler()
    }
}
