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
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        do throws(SystemError) {
            while let count = try file.read(into: buffer), count > 0 {
                bytes.append(contentsOf: buffer[..<count])
                if bytes.count > limit { break }
            }
        } catch {
            throw Refusal(description: "\(path): \(error.reason)")
        }
        guard bytes.count <= limit else {
            throw Refusal(description: "\(path): it has more than \(limit) bytes")
        }
        return bytes
    }

    /// Looks at a file that a library will read by itself.
    ///
    /// - Throws: ``Refusal``.
    public static func check(_ path: String, _ content: Content) throws(Refusal) {
        _ = try open(path, content)
    }

    private static func open(_ path: String, _ content: Content) throws(Refusal) -> Descriptor {
        let file: Descriptor
        do throws(SystemError) {
            // Without waiting, since it may turn out to be a pipe.
            file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK)
        } catch {
            throw Refusal(description: "\(path): \(error.reason)")
        }
        var status = stat()
        guard fstat(file.number, &status) == 0 else {
            throw Refusal(description: "\(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Refusal(description: "\(path): it is not a file")
        }
        guard status.st_uid == 0 || status.st_uid == geteuid() else {
            throw Refusal(
                description: "\(path): it belongs to user \(status.st_uid), who could change it: "
                    + "chown it to root or to the user of this program")
        }
        guard status.st_mode & S_IWOTH == 0 else {
            throw Refusal(description: "\(path): everybody may write to it: chmod o-w")
        }
        guard content == .open || status.st_mode & S_IROTH == 0 else {
            throw Refusal(description: "\(path): everybody may read it: chmod o-r")
        }
        return file
    }
}
