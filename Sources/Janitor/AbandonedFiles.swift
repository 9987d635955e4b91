import Cleaning
import SystemIO

/// What was begun to be received and never came to an end. Whoever still writes has it locked.
struct AbandonedFiles {
    let files: [StoredFile]
    let now: Int64

    func clean(isDryRun: Bool) -> [CleaningEntry] {
        FileSelection.abandoned(files, now: now).compactMap { file in
            if isDryRun, FileStore.isLocked(file) { return nil }
            return CleaningEntry(
                .partial, file, .aborted(now - file.modified),
                isDryRun ? .planned : FileStore.removeUnlocked(file))
        }
    }
}
