import Cleaning
import Glibc
import SystemIO

/// Files in a folder, as far as they are files: links and whatever else are left alone.
struct FileStore {
    let folder: String

    /// - Returns: nothing where there is no such folder.
    /// - Throws: `SystemError`.
    func files(where isWanted: (String) -> Bool) throws(SystemError) -> [StoredFile] {
        let names: [String]
        do throws(SystemError) {
            names = try Folder(existing: folder).names()
        } catch  where error.code == ENOENT {
            return []
        }
        return names.filter(isWanted).sorted().compactMap { Self.file("\(folder)/\($0)") }
    }

    /// - Returns: nil for what is no file.
    static func file(_ path: String) -> StoredFile? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return StoredFile(
            path: path, size: Int64(status.st_size), modified: Int64(status.st_mtim.tv_sec))
    }

    /// Removes a file, unless it is another by now.
    static func remove(_ file: StoredFile) -> CleaningEntry.Outcome {
        guard let now = self.file(file.path) else { return .gone }
        guard now == file else { return .needed("it was written or used meanwhile") }
        do throws(SystemError) {
            try check("unlink", on: file.path) { unlink(file.path) }
            return .removed
        } catch {
            return error.code == ENOENT ? .gone : .failed(error.description)
        }
    }

    /// Removes a file that whoever writes it holds a lock on, unless somebody does.
    static func removeUnlocked(_ file: StoredFile) -> CleaningEntry.Outcome {
        do throws(SystemError) {
            let open = try Descriptor.open(file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            try check("flock", on: file.path) { flock(open.number, LOCK_EX | LOCK_NB) }
            return remove(file)
        } catch {
            switch error.code {
            case ENOENT: return .gone
            case EWOULDBLOCK: return .needed("somebody writes it")
            default: return .failed(error.description)
            }
        }
    }

    /// Whether somebody holds a lock on it.
    static func isLocked(_ file: StoredFile) -> Bool {
        guard
            let open = try? Descriptor.open(file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        else { return false }
        return flock(open.number, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
