import Glibc

extension Folder {
    /// Puts a file in place of the one of that name, if any, so that a power cut leaves the one
    /// before or the one after.
    ///
    /// - Parameter mode: the file's, whatever the umask is.
    /// - Throws: `SystemError`.
    public func replace(
        _ name: String, with bytes: [UInt8], mode: mode_t = 0o600
    ) throws(SystemError) {
        // Nothing that can be found out before should fail after the change.
        let folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        let place = "\(path)/\(name)"
        let new = "\(place).new"
        let file = try Descriptor.open(new, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
        do throws(SystemError) {
            // The umask is for files whose readers nobody thought of.
            try check("fchmod", on: new) { fchmod(file.number, mode) }
            try bytes.withUnsafeBytes { buffer in
                Result { () throws(SystemError) in try file.writeAll(buffer) }
            }.get()
            try check("fsync", on: new) { fsync(file.number) }
            try check("rename", on: place) { rename(new, place) }
        } catch {
            unlink(new)
            throw error
        }
        try check("fsync", on: path) { fsync(folder.number) }
    }
}
