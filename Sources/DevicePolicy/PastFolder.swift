/// A folder of the device that a container had at some time.
///
/// A container can keep a descriptor of a folder that it no longer has, or of a folder that another
/// container gave it, until it ends. What it left in a folder that a mount covers shows again when
/// the mount goes.
public struct PastFolder: Codable, Hashable, Sendable {
    /// Without symbolic links.
    public var path: String
    /// What the container had with it: the folder, and what was mounted below it.
    public var territory: [FileLocation]
    /// nil where it is unknown.
    public var identity: FileIdentity?
    /// The boot id of the device at that time (/proc/sys/kernel/random/boot_id), empty when no
    /// container can have a descriptor of it any more.
    public var boot: String

    /// - Parameter mounts: those of the device.
    public init(
        _ path: String, boot: String, _ mounts: MountTable,
        on files: some PathResolver = FileSystem()
    ) {
        self.path = files.resolve(path)
        self.boot = boot
        territory = HostPath(self.path).map { mounts.territory(of: $0) } ?? []
        identity = files.identity(of: self.path)
    }
}

/// A file or folder, as stat(2) identifies it. It stays the same when the folder is renamed.
public struct FileIdentity: Codable, Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}
