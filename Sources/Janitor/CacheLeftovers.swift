import Cleaning
import Glibc
import SystemIO

/// The cache of pulls: `blobs/ALGORITHM/HEX`, files whose time is that of their last use, and
/// `partial/NAME`, files locked while they are being written, and `origins/ALGORITHM/HEX`, which
/// say which repositories a blob came from. Its methods block.
struct CacheLeftovers {
    private let folder: String
    private let limit: Int64
    private let now: Int64

    private static let algorithms = ["sha256", "sha512"]

    init(_ folder: String, limit: Int64, now: Int64) {
        self.folder = folder
        self.limit = limit
        self.now = now
    }

    func clean(isDryRun: Bool) -> [CleaningEntry] {
        var entries: [CleaningEntry] = []
        do throws(SystemError) {
            entries += AbandonedFiles(
                files: try FileStore(folder: "\(folder)/partial").files { _ in true }, now: now
            ).clean(isDryRun: isDryRun)
            var blobs: [StoredFile] = []
            for algorithm in Self.algorithms {
                blobs += try FileStore(folder: "\(folder)/blobs/\(algorithm)").files {
                    !$0.isEmpty && $0.allSatisfy(\.isHexDigit)
                }
            }
            for file in FileSelection.exceeding(limit, blobs) {
                entries.append(
                    CleaningEntry(
                        .blob, file, .cacheLimit(now - file.modified),
                        isDryRun ? .planned : FileStore.remove(file)))
            }
            if !isDryRun { try removeOrigins() }
        } catch {
            entries.append(.unreadable(folder, error, .blob))
        }
        return entries
    }

    /// Removes the records of blobs that have been removed: a few bytes each, so none is reported.
    private func removeOrigins() throws(SystemError) {
        for algorithm in Self.algorithms {
            let files = try FileStore(folder: "\(folder)/origins/\(algorithm)").files {
                !$0.isEmpty && $0.allSatisfy(\.isHexDigit)
            }
            for file in files {
                let name = file.path.split(separator: "/").last.map { "\($0)" } ?? ""
                guard access("\(folder)/blobs/\(algorithm)/\(name)", F_OK) != 0, errno == ENOENT
                else { continue }
                _ = FileStore.remove(file)
            }
        }
    }
}
