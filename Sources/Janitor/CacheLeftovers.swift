import Cleaning
import SystemIO

/// The cache of pulls: `blobs/ALGORITHM/HEX`, files whose time is that of their last use, and
/// `partial/NAME`, files under a lock while somebody writes them. Its methods block.
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
        } catch {
            entries.append(.unreadable(folder, error, .blob))
        }
        return entries
    }
}
