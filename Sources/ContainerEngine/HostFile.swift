import Glibc
import PrintableText
import RuntimeAPI

/// Files of the device that requests name.
enum HostFile {
    /// - Throws: `RuntimeError.pathNotFound`.
    static func require(_ path: String) throws(RuntimeError) {
        guard access(path, F_OK) == 0 else { throw .pathNotFound(excerpt(path)) }
    }

    /// - Throws: `RuntimeError.invalidArgument`.
    static func require(device path: String) throws(RuntimeError) {
        guard access(path, F_OK) == 0 else {
            throw .invalidArgument(field: "devices", reason: "device \(excerpt(path)) not found")
        }
    }

    /// Finds a device that does not exist, where its path is `/dev/NAME`: the names of a device's
    /// hardware are no secret. Links are not followed, since `/dev/fd` leads elsewhere.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    static func requirePlain(device path: String) throws(RuntimeError) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"))
        var status = stat()
        guard parts.count == 2, parts[0].elementsEqual("dev".utf8),
            !parts[1].elementsEqual("..".utf8), lstat(path, &status) != 0
        else { return }
        throw .invalidArgument(field: "devices", reason: "device \(excerpt(path)) not found")
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
