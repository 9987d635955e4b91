import CSystem
import Glibc

/// Tells when one of a few files may have changed: written, replaced, made or removed.
///
/// The folders are watched rather than the files, since files that matter are replaced by
/// renaming, and the folders above them, which may be replaced as well; several changes in a row
/// are told once. Begin to watch before the files are read, so that no change is missed. A file reached through symbolic links is
/// told of when a link in its own folder changes, as with certificates that are rotated by a
/// link; what changes further away is for SIGHUP.
@EventLoop
public final class FileWatch {
    private let descriptor: Descriptor
    private var watch: Watch?
    private var timer: EventLoop.Timer?
    private let files: [String]
    private var handler: (@EventLoop () -> Void)?
    /// Whether something changed that nobody was told of.
    private var hasChanged = false
    private var state: [Fingerprint?] = []
    private let folders: Set<String>
    /// What of a folder matters, by the number of its watch: everything, or only the names of
    /// folders in it that lead to a file.
    private var watched: [CInt: Scope] = [:]

    private enum Scope: Hashable {
        case everything
        case names(Set<String>)
    }

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

    /// Begins to watch.
    ///
    /// - Parameter handler: told of changes; without one they wait for ``tell(_:)``.
    /// - Throws: `SystemError` when a folder cannot be watched.
    public init(
        _ files: [String], _ handler: (@EventLoop () -> Void)? = nil
    ) throws(SystemError) {
        self.files = files
        self.handler = handler
        folders = Set(files.map(Self.folder))
        let number = try check("inotify_init1") {
            inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        }
        descriptor = Descriptor(owning: number)
        for folder in folders { try add(folder, .everything) }
        watchAncestors()
        // After the watches: a change before this is in it, and one after it is told of.
        state = files.map { Fingerprint($0) }
        watch = try Watch(number, for: .readable) { [weak self] _ in self?.drain() }
    }

    /// Tells of changes from now on, and of those there were.
    public func tell(_ handler: @escaping @EventLoop () -> Void) {
        self.handler = handler
        guard hasChanged else { return }
        hasChanged = false
        handler()
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

    // MARK: Folders

    /// Watches a folder; nothing changes where it is the same as before.
    private func add(_ folder: String, _ scope: Scope) throws(SystemError) {
        let changes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        let mask: Int32
        switch scope {
        case .everything: mask = changes | IN_CLOSE_WRITE | IN_ATTRIB
        case .names: mask = changes
        }
        let number = try check("inotify_add_watch", on: folder) {
            // One folder may be reached by several names.
            inotify_add_watch(descriptor.number, folder, UInt32(mask) | UInt32(IN_MASK_ADD))
        }
        switch (watched[number], scope) {
        case (.everything, _): break
        case (.names(let known), .names(let more)): watched[number] = .names(known.union(more))
        case (_, .everything), (nil, .names): watched[number] = scope
        }
    }

    /// Watches what is above the folders, as far as this process may.
    private func watchAncestors() {
        for folder in folders {
            var folder = folder
            while let slash = folder.lastIndex(of: "/"), folder != "/" {
                let name = String(folder[folder.index(after: slash)...])
                folder = Self.folder(of: folder)
                try? add(folder, .names([name]))
            }
        }
    }

    /// Watches what is under the names now, in the place of what was.
    private func watchAgain() {
        let before = watched
        watched = [:]
        // One that is missing is watched again when a folder above it tells of it.
        for folder in folders { try? add(folder, .everything) }
        watchAncestors()
        for number in before.keys where watched[number] == nil {
            inotify_rm_watch(descriptor.number, number)
        }
    }

    // MARK: Changes

    private func drain() {
        var matters = false
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while true {
                let count = read(descriptor.number, buffer.baseAddress, buffer.count)
                guard count > 0 else { return }
                var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                while let event = Event(&rest) { matters = self.matters(event) || matters }
            }
        }
        guard matters, timer == nil else { return }
        timer = EventLoop.Timer(after: Self.patience) { [weak self] in self?.compare() }
    }

    /// In a file's own folder it does not matter which file it was: what they look like now does.
    private func matters(_ event: Event) -> Bool {
        switch watched[event.watch] {
        case .everything: true
        case .names(let names): names.contains(event.name)
        // Some were lost, or the folder is not watched any more.
        case nil: event.watch < 0
        }
    }

    private func compare() {
        timer = nil
        watchAgain()
        let now = files.map { Fingerprint($0) }
        guard now != state else { return }
        state = now
        if let handler { handler() } else { hasChanged = true }
    }

    /// As inotify(7) has it: a header and a name with zeros behind it.
    private struct Event {
        var watch: CInt
        var name: String

        /// Takes the next one off the bytes; nil when there are no more.
        init?(_ bytes: inout UnsafeRawBufferPointer) {
            let size = MemoryLayout<inotify_event>.size
            guard bytes.count >= size else { return nil }
            let header = bytes.loadUnaligned(as: inotify_event.self)
            let length = min(Int(header.len), bytes.count - size)
            watch = header.wd
            name = String(
                decoding: bytes[size..<size + length].prefix { $0 != 0 }, as: UTF8.self)
            bytes = UnsafeRawBufferPointer(rebasing: bytes[(size + length)...])
        }
    }
}
