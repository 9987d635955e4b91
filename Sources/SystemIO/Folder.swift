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

    /// Makes sure that only root and this program's user can change what is in the folder, or
    /// put another folder in its place.
    ///
    /// - Throws: `SystemError` with EPERM, on the folder that others can change.
    public func requireOwn() throws(SystemError) {
        do throws(TrustedPath.Objection) {
            guard try !TrustedPath.isSharedFolder(path) else {
                throw TrustedPath.Objection(place: path, reason: "", isFinal: true)
            }
        } catch {
            throw SystemError(
                "checking that no other user may write there", on: error.place, code: EPERM)
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
