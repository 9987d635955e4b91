import OCI
import RuntimeAPI

/// What a policy needs to know of a container beside its specification.
public struct ContainerFacts: Sendable {
    /// The digest of the image's configuration; nil where it is unknown, as on another machine.
    public var imageDigest: Digest?
    /// The user of the image's configuration; nil where it is unknown.
    public var imageUser: String?
    /// The volumes that it mounts by name.
    public var volumes: [KnownVolume]
    public var reserved: ReservedPaths
    /// Folders of the device that other containers have.
    public var others: [SharedFolder]
    /// Folders that containers had.
    public var past: [PastFolder]
    /// The boot id of the device.
    public var boot: String

    public init(
        imageDigest: Digest? = nil, imageUser: String? = nil, volumes: [KnownVolume] = [],
        reserved: ReservedPaths = ReservedPaths(), others: [SharedFolder] = [],
        past: [PastFolder] = [], boot: String = ""
    ) {
        self.imageDigest = imageDigest
        self.imageUser = imageUser
        self.volumes = volumes
        self.reserved = reserved
        self.others = others
        self.past = past
        self.boot = boot
    }
}

/// A folder of the device that a container has.
public struct SharedFolder: Hashable, Sendable {
    public var path: String
    /// The instance name of the container; empty for the container that is being checked.
    public var holder: String
    /// Whether the mount also has what is mounted below the folder.
    public var isRecursive: Bool
    public var isReadOnly: Bool

    public init(
        _ path: String, holder: String = "", isRecursive: Bool = true, isReadOnly: Bool = false
    ) {
        self.path = path
        self.holder = holder
        self.isRecursive = isRecursive
        self.isReadOnly = isReadOnly
    }

    /// The folders that a container with this specification has.
    ///
    /// - Parameter volumes: those that it mounts by name.
    public static func all(
        of spec: ContainerSpec, _ volumes: [KnownVolume], holder: String = ""
    ) -> [SharedFolder] {
        let readOnly = Set(
            spec.volumes.filter { !$0.isBind && $0.readOnly }.map(\.name))
        let binds = spec.volumes.filter(\.isBind)
            .map { SharedFolder($0.name, holder: holder, isReadOnly: $0.readOnly) }
        let mounted = volumes.compactMap { known in
            SharedFolder(
                known.volume, holder: holder, isReadOnly: readOnly.contains(known.volume.name))
        }
        return binds + mounted
    }

    /// The folder that a volume stands for; nil when it is storage of its own or the file system of
    /// a device.
    private init?(_ volume: Volume, holder: String, isReadOnly: Bool) {
        let options = MountOptions(volume.options["o"] ?? "")
        guard volume.driver == VolumeSpec.localDriver, options.mayBind,
            let device = volume.options["device"], device.utf8.first == UInt8(ascii: "/")
        else { return nil }
        self.init(
            device, holder: holder, isRecursive: options.names.contains("rbind"),
            isReadOnly: isReadOnly || options.names.contains("ro"))
    }
}

/// A volume that exists.
public struct KnownVolume: Sendable {
    public var volume: Volume
    /// Whether it was made through containerz.
    public var isOwn: Bool

    public init(_ volume: Volume, isOwn: Bool) {
        self.volume = volume
        self.isOwn = isOwn
    }
}

/// Files and folders that are never bound, whatever the policy says. A container that has them can
/// become root on the device, or change what containerz itself trusts.
public struct ReservedPaths: Hashable, Sendable {
    /// A path and what it is, for messages.
    public struct Entry: Hashable, Sendable {
        public var path: String
        public var purpose: String

        public init(_ path: String, _ purpose: String) {
            self.path = path
            self.purpose = purpose
        }
    }

    public var entries: [Entry]

    /// - Parameter entries: in addition to ``packaged``.
    public init(_ entries: [Entry] = []) { self.entries = Self.packaged + entries }

    /// Where the packages of containerz keep their configuration and state.
    private static let packaged = [
        Entry("/etc/containerz", "the configuration of containerz"),
        Entry("/run/containerz", "the sockets of containerz"),
        Entry("/var/lib/containerz", "the state of cz-runtime"),
        Entry("/var/lib/containerzd", "the state of containerzd"),
        Entry("/var/lib/containerz-upgrade", "the state of containerz-upgrade"),
        Entry("/var/cache/containerz", "the cache of cz-pull"),
    ]
}
