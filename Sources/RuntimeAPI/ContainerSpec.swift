/// A container to be: every field of the gNOI StartContainerRequest, typed.
///
/// On the wire each field but those of the small types is nullable; absent means the default
/// shown here.
public struct ContainerSpec: Hashable, Sendable {
    /// nil to start again a stopped container that is given by its name alone.
    public var image: ImageName?
    /// The words of the command, split already; empty for the image's own command.
    public var command: [String] = []
    /// The instance name; empty to have one made up.
    public var name = ""
    public var ports: [PortMapping] = []
    public var environment: [String: String] = [:]
    public var volumes: [VolumeMount] = []
    /// The engine's default when empty.
    public var network = ""
    public var capabilities = Capabilities()
    public var restart = RestartPolicy()
    /// A name or number known in the image; empty for the image's own.
    public var user = ""
    /// Likewise.
    public var group = ""
    public var labels: [String: String] = [:]
    public var limits = Limits()
    public var devices: [Device] = []
    public var location = Location.primary

    public init(image: ImageName? = nil, name: String = "") {
        self.image = image
        self.name = name
    }

    /// A container's port and the device's port it is published on.
    public struct PortMapping: Codable, Hashable, Sendable {
        public var `internal`: UInt16
        public var external: UInt16

        public init(internal: UInt16, external: UInt16) {
            self.internal = `internal`
            self.external = external
        }
    }

    /// A volume, or a directory of the device when it starts with a slash.
    public struct VolumeMount: Hashable, Sendable {
        public var name: String
        public var mountPoint: String
        public var readOnly: Bool

        /// Whether it is a directory of the device. By bytes, as the engines see it: to Swift a
        /// slash with a combining character after it is another character.
        public var isBind: Bool { name.utf8.first == UInt8(ascii: "/") }

        public init(name: String, mountPoint: String, readOnly: Bool = false) {
            self.name = name
            self.mountPoint = mountPoint
            self.readOnly = readOnly
        }
    }

    /// Removed first, then added; with or without the prefix `CAP_`.
    public struct Capabilities: Hashable, Sendable {
        public var add: [String]
        public var remove: [String]

        public init(add: [String] = [], remove: [String] = []) {
            self.add = add
            self.remove = remove
        }
    }

    /// What the engine does when the container ends.
    public struct RestartPolicy: Hashable, Sendable {
        public enum Policy: String, Codable, CaseIterable, Sendable {
            case never, always, unlessStopped, onFailure
        }

        public var policy: Policy
        /// How often a failed container is tried again, with ``Policy/onFailure``; 0 for no limit.
        public var attempts: Int

        public init(_ policy: Policy = .never, attempts: Int = 0) {
            self.policy = policy
            self.attempts = attempts
        }
    }

    /// 0: no limit.
    public struct Limits: Hashable, Sendable {
        /// Processors' worth of time.
        public var cpus: Double
        /// Bytes the container is pushed back to when memory is short.
        public var softMemory: Int64
        /// Bytes at which it is killed.
        public var hardMemory: Int64

        public init(cpus: Double = 0, softMemory: Int64 = 0, hardMemory: Int64 = 0) {
            self.cpus = cpus
            self.softMemory = softMemory
            self.hardMemory = hardMemory
        }
    }

    /// A device of the host.
    public struct Device: Hashable, Sendable {
        public enum Permission: String, Codable, CaseIterable, Sendable {
            case read, write, mknod
        }

        public var source: String
        /// The path in the container; the same as ``source`` when empty.
        public var destination: String
        /// Everything when empty.
        public var permissions: [Permission]

        public init(source: String, destination: String = "", permissions: [Permission] = []) {
            self.source = source
            self.destination = destination
            self.permissions = permissions
        }
    }

    /// Which supervisor the container is meant for.
    public enum Location: String, Codable, CaseIterable, Sendable {
        case primary, backup, all
    }
}

extension ContainerSpec: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable {
        case image, command, name, ports, environment, volumes, network, capabilities, restart
        case user, group, labels, limits, devices, location
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        image = try fields.decodeIfPresent(ImageName.self, forKey: .image)
        command = try fields.decode(.command, default: command)
        name = try fields.decode(.name, default: name)
        ports = try fields.decode(.ports, default: ports)
        environment = try fields.decode(.environment, default: environment)
        volumes = try fields.decode(.volumes, default: volumes)
        network = try fields.decode(.network, default: network)
        capabilities = try fields.decode(.capabilities, default: capabilities)
        restart = try fields.decode(.restart, default: restart)
        user = try fields.decode(.user, default: user)
        group = try fields.decode(.group, default: group)
        labels = try fields.decode(.labels, default: labels)
        limits = try fields.decode(.limits, default: limits)
        devices = try fields.decode(.devices, default: devices)
        location = try fields.decode(.location, default: location)
    }

    /// Without what is the default: engines keep this with each container and say it in each list.
    public func encode(to encoder: any Encoder) throws {
        let initial = ContainerSpec()
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encodeIfPresent(image, forKey: .image)
        try fields.encode(.command, command, unless: initial.command)
        try fields.encode(.name, name, unless: initial.name)
        try fields.encode(.ports, ports, unless: initial.ports)
        try fields.encode(.environment, environment, unless: initial.environment)
        try fields.encode(.volumes, volumes, unless: initial.volumes)
        try fields.encode(.network, network, unless: initial.network)
        try fields.encode(.capabilities, capabilities, unless: initial.capabilities)
        try fields.encode(.restart, restart, unless: initial.restart)
        try fields.encode(.user, user, unless: initial.user)
        try fields.encode(.group, group, unless: initial.group)
        try fields.encode(.labels, labels, unless: initial.labels)
        try fields.encode(.limits, limits, unless: initial.limits)
        try fields.encode(.devices, devices, unless: initial.devices)
        try fields.encode(.location, location, unless: initial.location)
    }
}

extension ContainerSpec.VolumeMount: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable { case name, mountPoint, readOnly }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decode(String.self, forKey: .name)
        mountPoint = try fields.decode(String.self, forKey: .mountPoint)
        readOnly = try fields.decode(.readOnly, default: false)
    }
}

extension ContainerSpec.Capabilities: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable { case add, remove }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        add = try fields.decode(.add, default: [])
        remove = try fields.decode(.remove, default: [])
    }
}

extension ContainerSpec.RestartPolicy: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable { case policy, attempts }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        policy = try fields.decode(Policy.self, forKey: .policy)
        attempts = try fields.decode(.attempts, default: 0)
    }
}

extension ContainerSpec.Limits: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable { case cpus, softMemory, hardMemory }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        cpus = try fields.decode(.cpus, default: 0)
        softMemory = try fields.decode(.softMemory, default: 0)
        hardMemory = try fields.decode(.hardMemory, default: 0)
    }
}

extension ContainerSpec.Device: Codable {
    fileprivate enum CodingKeys: CodingKey, CaseIterable { case source, destination, permissions }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        source = try fields.decode(String.self, forKey: .source)
        destination = try fields.decode(.destination, default: "")
        permissions = try fields.decode(.permissions, default: [])
    }
}

extension ContainerSpec {
    /// The fields of its objects: by the name of the field that holds the object, or the list of
    /// objects; those of the specification itself under an empty name. The fields that are missing
    /// here hold no objects with fixed fields.
    public static let fieldNames: [String: Set<String>] = {
        func names<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) -> Set<String> {
            Set(keys.allCases.map(\.stringValue))
        }
        return [
            "": names(CodingKeys.self),
            "image": ["repository", "tag"],
            "ports": ["internal", "external"],
            "volumes": names(VolumeMount.CodingKeys.self),
            "capabilities": names(Capabilities.CodingKeys.self),
            "restart": names(RestartPolicy.CodingKeys.self),
            "limits": names(Limits.CodingKeys.self),
            "devices": names(Device.CodingKeys.self),
        ]
    }()
}
