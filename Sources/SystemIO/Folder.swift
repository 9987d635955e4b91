import CSystem
import Glibc

/// A folder that holds a program's state.
public struct Folder: Hashable, Sendable {
    public let path: String

    /// Makes the folder, and those above it, where it is missing.
    ///
    /// - Parameter mode: of those that are made.
    /// - Throws: `SystemError`.
    public init(making path: String, mode: mode_t) throws(SystemError) {
        self.path = path
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/\(part)"
            if mkdir(made, mode) != 0, errno != EEXIST { throw SystemError("mkdir", on: made) }
        }
    }

    /// A folder that is there; where it is not, using it fails.
    public init(existing path: String) { self.path = path }

    /// Makes sure that nobody but root and this program's user can put anything in it.
    ///
    /// - Throws: `SystemError` with EPERM.
    public func requireOwn() throws(SystemError) {
        var status = stat()
        try check("stat", on: path) { stat(path, &status) }
        let isOwn = status.st_uid == 0 || status.st_uid == geteuid()
        let othersMayWrite =
            status.st_mode & S_IWOTH != 0 || status.st_mode & S_IWGRP != 0 && status.st_gid != 0
        guard isOwn, !othersMayWrite else {
            throw SystemError("checking that nobody else may write there", on: path, code: EPERM)
        }
    }

    /// The names of what is in it, but `.` and `..`, in no order.
    ///
    /// - Throws: `SystemError`.
    public func names() throws(SystemError) -> [String] {
        guard let listing = opendir(path) else { throw SystemError("opendir", on: path) }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Waits until the names in it are on the disk.
    ///
    /// - Throws: `SystemError`.
    public func synchronise() throws(SystemError) {
        let folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        try check("fsync", on: path) { fsync(folder.number) }
    }
}
