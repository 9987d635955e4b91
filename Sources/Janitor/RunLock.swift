import Glibc
import SystemIO

/// A lock on a file that only one run has at a time, whichever process it is in. It ends with the
/// process at the latest (flock(2)).
public struct RunLock: ~Copyable {
    private let descriptor: Descriptor

    /// - Returns: nil where somebody else has it.
    /// - Throws: `SystemError`.
    public static func take(_ path: String) throws(SystemError) -> RunLock? {
        let descriptor = try open(path)
        let number = descriptor.number
        do throws(SystemError) {
            try check("flock", on: path) { flock(number, LOCK_EX | LOCK_NB) }
        } catch  where error.code == EWOULDBLOCK {
            return nil
        }
        return RunLock(descriptor: descriptor)
    }

    private init(descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Opens it for reading, which is enough and lets several users share it; in a folder that
    /// everybody may write to, the kernel lets nobody create a file that is somebody else's.
    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        } catch  where error.code == ENOENT {
            do throws(SystemError) {
                return try Descriptor.open(
                    path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o644)
            } catch  where error.code == EEXIST {
                return try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
            }
        }
    }
}
