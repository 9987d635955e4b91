import CSystem
import Glibc

/// A file that a program's security rests on: nobody but root and the program's own user may
/// have a hand in it.
public enum TrustedFile {
    public enum Content: Sendable {
        /// Everybody may read it.
        case open
        /// A key or a list of passwords: not everybody may read it.
        case secret
    }

    /// What is wrong with a file, and what to do.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Reads a file as a whole.
    ///
    /// - Throws: ``Refusal``, also for more than `limit` bytes.
    public static func read(
        _ path: String, _ content: Content, upTo limit: Int = 4 << 20
    ) throws(Refusal) -> [UInt8] {
        let file = try open(path, content)
        do throws(SystemError) {
            return try file.readToEnd(atMost: limit, of: path)
        } catch {
            let reason = error.code == EFBIG ? "it has more than \(limit) bytes" : error.reason
            throw Refusal(description: "\(path): \(reason)")
        }
    }

    /// Looks at a file that a library will read by itself.
    ///
    /// - Throws: ``Refusal``.
    public static func check(_ path: String, _ content: Content) throws(Refusal) {
        _ = try open(path, content)
    }

    private static func open(_ path: String, _ content: Content) throws(Refusal) -> Descriptor {
        let reason: String
        do throws(SystemError) {
            // Without waiting, since it may turn out to be a pipe.
            let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK)
            let number = file.number
            var status = stat()
            try SystemIO.check("fstat", on: path) { fstat(number, &status) }
            guard let objection = objection(to: status, content) else { return file }
            reason = objection
        } catch {
            reason = error.reason
        }
        throw Refusal(description: "\(path): \(reason)")
    }

    private static func objection(to status: stat, _ content: Content) -> String? {
        if status.st_mode & S_IFMT != S_IFREG { return "it is not a file" }
        if status.st_uid != 0, status.st_uid != geteuid() {
            return "it belongs to user \(status.st_uid), who could change it: chown it to root or "
                + "to the user of this program"
        }
        if status.st_mode & S_IWOTH != 0 { return "everybody may write to it: chmod o-w" }
        if status.st_mode & S_IWGRP != 0, status.st_gid != 0 {
            return "group \(status.st_gid) may write to it: chmod g-w"
        }
        if content == .secret, status.st_mode & S_IROTH != 0 {
            return "everybody may read it: chmod o-r"
        }
        return nil
    }
}
