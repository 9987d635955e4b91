import CSystem
import Glibc
import SystemIO

/// The file system, as far as a policy has to know it.
public protocol PathResolver: Sendable {
    /// The path without symbolic links; what of it does not exist is left as it is. A link that
    /// leads nowhere is followed as well: what it leads to may exist the next time.
    func resolve(_ path: String) -> String

    /// What is mounted where; empty when that cannot be read.
    func mountTable() -> MountTable

    /// nil for what does not exist.
    func identity(of path: String) -> FileIdentity?

    /// `MAJOR:MINOR` of a block device, links followed; nil for everything else.
    func deviceNumber(of path: String) -> String?
}

/// The device's own file system.
public struct FileSystem: PathResolver {
    /// Far more than the list of any device.
    private static let maximumMountTable = 16 << 20

    public init() {}

    public func resolve(_ path: String) -> String { resolve(path, links: Self.maximumLinks) }

    /// As many as the kernel follows.
    private static let maximumLinks = 40

    private func resolve(_ path: String, links: Int) -> String {
        var known = path.utf8[...]
        var rest = ""
        while true {
            if let real = realpath(known.isEmpty ? "/" : String(Substring(known)), nil) {
                defer { free(real) }
                return String(cString: real) + rest
            }
            guard let slash = known.lastIndex(of: UInt8(ascii: "/")) else { return path }
            if let target = Self.target(ofLink: String(Substring(known))) {
                // Links that lead to each other are no way to anything that is allowed.
                guard links > 0 else { return "/" }
                let isAbsolute = target.utf8.first == UInt8(ascii: "/")
                let base = isAbsolute ? "" : String(Substring(known[...slash]))
                return resolve(base + target + rest, links: links - 1)
            }
            rest = Substring(known[slash...]) + rest
            known = known[..<slash]
        }
    }

    /// - Returns: nil for what is no symbolic link.
    private static func target(ofLink path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0
            ? String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
            : nil
    }

    public func mountTable() -> MountTable {
        // Those of the device: the sandbox of a service changes its own, and makes them read-only.
        let device = try? Self.mountTable(ofProcess: 1)
        return device ?? (try? Self.mountTable(ofProcess: nil)) ?? MountTable(parsing: [])
    }

    public func deviceNumber(of path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFBLK else { return nil }
        return "\(cz_device_major(status.st_rdev)):\(cz_device_minor(status.st_rdev))"
    }

    public func identity(of path: String) -> FileIdentity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The mounts that a process sees.
    ///
    /// - Parameter pid: nil for this process.
    /// - Throws: `SystemError`, with ENOENT or EINVAL for a process that has ended.
    public static func mountTable(ofProcess pid: Int32?) throws(SystemError) -> MountTable {
        let path = "/proc/\(pid.map(String.init) ?? "self")/mountinfo"
        let file = try Descriptor.open(path, O_RDONLY)
        return MountTable(parsing: try file.readToEnd(atMost: maximumMountTable, of: path))
    }
}
