import CSystem
import Glibc

/// A file that a program's security rests on: no user but root and the program's own user may be
/// able to change it, or to put another file in its place.
///
/// The folders that its path leads through are judged as well, symbolic links followed. A folder
/// with the sticky bit, such as /tmp, may be writable by everybody.
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

    /// Checks a file that a library will read by itself. No other user can exchange it in between,
    /// since none can change a folder on the way to it.
    ///
    /// - Throws: ``Refusal``.
    public static func check(_ path: String, _ content: Content) throws(Refusal) {
        _ = try open(path, content)
    }

    private static func open(_ path: String, _ content: Content) throws(Refusal) -> Descriptor {
        let reason: String
        do throws(TrustedPath.Objection) {
            let file = try TrustedPath.openFile(path)
            let number = file.number
            var status = stat()
            if fstat(number, &status) != 0 {
                reason = SystemError("fstat").reason
            } else if let objection = objection(to: status, number, content) {
                reason = objection
            } else {
                return file
            }
        } catch {
            reason = error.isFinal ? error.reason : "\(error.place): \(error.reason)"
        }
        throw Refusal(description: "\(path): \(reason)")
    }

    private static func objection(
        to status: stat, _ number: CInt, _ content: Content
    ) -> String? {
        if status.st_mode & S_IFMT != S_IFREG { return "it is not a file" }
        if !TrustedPath.isOwn(status) {
            return "it belongs to user \(status.st_uid), who could change it: chown it to root or "
                + "to the user of this program"
        }
        switch TrustedPath.writers(of: status, number) {
        case (let who, let remedy)?:
            return "\(who == "every user" ? "everybody" : who) may write to it: \(remedy)"
        case nil: break
        }
        if content == .secret, status.st_mode & S_IROTH != 0 {
            return "everybody may read it: chmod o-r"
        }
        return nil
    }
}
