import Glibc
import SystemIO

/// Files of a few lines that another program replaces as a whole.
enum SmallFile {
    private static let largest = 64 << 10

    /// - Returns: nil for what is not there, or cannot be read.
    static func read(_ path: String) -> String? {
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NONBLOCK) else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: largest, alignment: 1) { buffer in
            guard let count = try? file.read(into: buffer) else { return nil }
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
    }
}
