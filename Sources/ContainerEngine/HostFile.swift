import Glibc
import PrintableText
import RuntimeAPI

/// Files of the device that requests name.
enum HostFile {
    /// - Throws: `RuntimeError.pathNotFound`.
    static func require(_ path: String) throws(RuntimeError) {
        guard access(path, F_OK) == 0 else { throw .pathNotFound(excerpt(path)) }
    }

    /// Finds a path that cannot exist because its first folder does not. The names in `/` are no
    /// secret, so that this may come before the policy is checked.
    ///
    /// - Throws: `RuntimeError.pathNotFound`, naming the whole path.
    static func requireTopFolder(of path: String) throws(RuntimeError) {
        let first = path.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1).first
        guard let first, access("/\(Substring(first))", F_OK) != 0 else { return }
        throw .pathNotFound(excerpt(path))
    }
}
