import Cleaning
import ContentDigest
import Glibc
import ImageStream
import OCI
import SystemIO

/// Plugins' tarballs, as containerzd keeps them: `NAME.tar`, and `.partial-…` under a lock while
/// one is received. Its methods block.
struct PluginLeftovers {
    private let folder: String
    private let madePlugins: Set<String>?
    private let unusedAfter: Int64
    private let now: Int64

    /// - Parameters:
    ///   - madePlugins: the digests of tarballs that there are plugins of; nil where that is not
    ///     known, and no tarball goes.
    ///   - unusedAfter: in seconds.
    init(_ folder: String, madePlugins: Set<String>?, unusedAfter: Int64, now: Int64) {
        self.folder = folder
        self.madePlugins = madePlugins
        self.unusedAfter = unusedAfter
        self.now = now
    }

    func clean(isDryRun: Bool) -> [CleaningEntry] {
        let store = FileStore(folder: folder)
        var entries: [CleaningEntry] = []
        do throws(SystemError) {
            entries += AbandonedFiles(
                files: try store.files { $0.hasPrefix(".partial-") }, now: now
            ).clean(isDryRun: isDryRun)
            let tarballs = try store.files { !$0.hasPrefix(".") && $0.hasSuffix(".tar") }
            for file in tarballs where now - file.modified >= unusedAfter {
                guard let madePlugins else { continue }
                do throws(SystemError) {
                    guard let digest = try Self.digest(of: file.path),
                        !madePlugins.contains(digest)
                    else { continue }
                } catch {
                    entries.append(.unreadable(file.path, error, .tarball))
                    continue
                }
                entries.append(
                    CleaningEntry(
                        .tarball, file, .staleTarball(now - file.modified),
                        isDryRun ? .planned : FileStore.remove(file)))
            }
        } catch {
            entries.append(.unreadable(folder, error, .tarball))
        }
        return entries
    }

    /// - Returns: nil when it has gone meanwhile.
    private static func digest(of path: String) throws(SystemError) -> String? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        let hash = ContentHash()
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            while let count = try file.read(into: buffer), count > 0 {
                hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        } catch  where error.code == ENOENT {
            return nil
        }
        return hash.finish().description
    }
}

extension CleaningEntry {
    /// A folder or file that could not be looked into.
    static func unreadable(_ path: String, _ error: SystemError, _ kind: Kind) -> CleaningEntry {
        CleaningEntry(
            kind, StoredFile(path: path, size: 0, modified: 0), .unreadable,
            .failed(error.description))
    }
}
