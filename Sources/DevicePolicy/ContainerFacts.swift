import OCI
import RuntimeAPI

/// What a policy has to know of a container to be that its specification does not say.
public struct ContainerFacts: Sendable {
    /// The digest of the image's configuration; nil where nobody can tell, as on another machine.
    public var imageDigest: Digest?
    /// The user that the image runs as by itself; nil likewise.
    public var imageUser: String?
    /// The volumes it mounts by their names.
    public var volumes: [KnownVolume]
    public var engine: EnginePaths
    /// Folders of the device that other containers have.
    public var others: [SharedFolder]

    public init(
        imageDigest: Digest? = nil, imageUser: String? = nil, volumes: [KnownVolume] = [],
        engine: EnginePaths = EnginePaths(), others: [SharedFolder] = []
    ) {
        self.imageDigest = imageDigest
        self.imageUser = imageUser
        self.volumes = volumes
        self.engine = engine
        self.others = others
    }
}

/// A folder of the device that a container has.
public struct SharedFolder: Hashable, Sendable {
    public var path: String
    public var isWritable: Bool

    public init(_ path: String, isWritable: Bool) {
        self.path = path
        self.isWritable = isWritable
    }

    /// The folders that a container with this specification has.
    public static func all(of spec: ContainerSpec, _ volumes: [KnownVolume]) -> [SharedFolder] {
        spec.volumes.filter(\.isBind)
            .map { SharedFolder($0.name, isWritable: !$0.readOnly) }
            + volumes.compactMap { SharedFolder($0.volume) }
    }

    /// The folder that a volume stands for; nil when it is storage of its own.
    public init?(_ volume: Volume) {
        guard volume.driver == VolumeSpec.localDriver, let device = volume.options["device"],
            device.utf8.first == UInt8(ascii: "/")
        else { return nil }
        self.init(device, isWritable: true)
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

/// What of the engine's is as good as root, wherever it is.
public struct EnginePaths: Hashable, Sendable {
    public var paths: [String]

    /// - Parameter paths: its socket, and the folder that holds its images and containers.
    public init(_ paths: [String] = []) { self.paths = paths }
}
