// The parts we read of what the engine API answers. Fields are optional where Docker and Podman
// differ or leave them out.

struct VersionDocument: Decodable {
    struct Component: Decodable {
        var name: String

        private enum CodingKeys: String, CodingKey {
            case name = "Name"
        }
    }
    var version: String
    var apiVersion: String
    var minAPIVersion: String?
    var components: [Component]?

    var isPodman: Bool { components?.contains { $0.name == "Podman Engine" } ?? false }

    private enum CodingKeys: String, CodingKey {
        case version = "Version"
        case apiVersion = "ApiVersion"
        case minAPIVersion = "MinAPIVersion"
        case components = "Components"
    }
}

struct InfoDocument: Decodable {
    var dockerRootDir: String?

    private enum CodingKeys: String, CodingKey {
        case dockerRootDir = "DockerRootDir"
    }
}

struct ImageSummary: Decodable {
    var id: String
    var repoTags: [String]?
    var repoDigests: [String]?
    var size: Int64?
    var created: Int64?
    var labels: [String: String]?

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case repoTags = "RepoTags"
        case repoDigests = "RepoDigests"
        case size = "Size"
        case created = "Created"
        case labels = "Labels"
    }
}

struct ImageDocument: Decodable {
    struct Config: Decodable {
        var user: String?
        var labels: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case user = "User"
            case labels = "Labels"
        }
    }
    var config: Config?

    private enum CodingKeys: String, CodingKey {
        case config = "Config"
    }
}

struct ContainerSummary: Decodable {
    var id: String
    var names: [String]?
    var image: String?
    var imageID: String?
    var state: String?
    var labels: [String: String]?
    var created: Int64?

    func isMade(of image: String) -> Bool { imageID.map { ImageID.areSame($0, image) } ?? false }

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case names = "Names"
        case image = "Image"
        case imageID = "ImageID"
        case state = "State"
        case labels = "Labels"
        case created = "Created"
    }
}

/// A mount of a container.
struct MountPoint: Decodable {
    var type: String?
    /// Of a volume; none for a bind.
    var name: String?
    var source: String?
    var destination: String
    var isWritable: Bool?

    /// The path on the device; nil for a volume.
    var bindSource: String? { type == "bind" ? source : nil }

    private enum CodingKeys: String, CodingKey {
        case type = "Type"
        case name = "Name"
        case source = "Source"
        case destination = "Destination"
        case isWritable = "RW"
    }
}

/// A container of the list as whoever asks for volumes' users has to see it: for the others the
/// mounts would be most of what there is to read.
struct MountingContainer: Decodable {
    var summary: ContainerSummary
    var mounts: [MountPoint]?

    init(from decoder: any Decoder) throws {
        summary = try ContainerSummary(from: decoder)
        mounts = try decoder.container(keyedBy: CodingKeys.self)
            .decodeIfPresent([MountPoint].self, forKey: .mounts)
    }

    func mounts(volume name: String) -> Bool { mounts?.contains { $0.name == name } ?? false }

    private enum CodingKeys: String, CodingKey {
        case mounts = "Mounts"
    }
}

/// A container of the list as far as its ports go.
struct PublishingContainer: Decodable {
    struct Port: Decodable {
        var publicPort: UInt16?
        var type: String?

        private enum CodingKeys: String, CodingKey {
            case publicPort = "PublicPort"
            case type = "Type"
        }
    }
    var id: String
    var ports: [Port]?

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case ports = "Ports"
    }
}

struct ContainerDocument: Decodable {
    struct State: Decodable {
        var status: String
        /// The container's first process; 0 when it does not run.
        var pid: Int32?
        var running: Bool?
        var paused: Bool?
        var restarting: Bool?
        var exitCode: Int?
        var startedAt: String?
        var finishedAt: String?
        var health: Health?

        struct Health: Decodable {
            var status: String?

            private enum CodingKeys: String, CodingKey { case status = "Status" }
        }

        private enum CodingKeys: String, CodingKey {
            case status = "Status"
            case pid = "Pid"
            case running = "Running"
            case paused = "Paused"
            case restarting = "Restarting"
            case exitCode = "ExitCode"
            case startedAt = "StartedAt"
            case finishedAt = "FinishedAt"
            case health = "Health"
        }
    }
    struct Config: Decodable {
        var tty: Bool?
        var user: String?
        var labels: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case tty = "Tty"
            case user = "User"
            case labels = "Labels"
        }
    }
    struct HostConfig: Decodable {
        var restartPolicy: RestartPolicyDocument?
        var networkMode: String?
        var privileged: Bool?

        private enum CodingKeys: String, CodingKey {
            case restartPolicy = "RestartPolicy"
            case networkMode = "NetworkMode"
            case privileged = "Privileged"
        }
    }
    struct NetworkSettings: Decodable {
        struct Network: Decodable {
            var address: String?

            private enum CodingKeys: String, CodingKey { case address = "IPAddress" }
        }
        var address: String?
        var networks: [String: Network]?

        private enum CodingKeys: String, CodingKey {
            case address = "IPAddress"
            case networks = "Networks"
        }
    }
    var id: String
    var name: String
    /// The image's id.
    var image: String?
    var created: String?
    var state: State
    var config: Config?
    var hostConfig: HostConfig?
    var restartCount: Int?
    var mounts: [MountPoint]?
    var networkSettings: NetworkSettings?

    /// Whether it runs, or will at any moment: one that is about to be started again counts.
    var isUp: Bool {
        state.running ?? false || state.paused ?? false || state.restarting ?? false
            || state.status == "running" || state.status == "paused"
            || state.status == "restarting"
    }

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case name = "Name"
        case image = "Image"
        case created = "Created"
        case state = "State"
        case config = "Config"
        case hostConfig = "HostConfig"
        case restartCount = "RestartCount"
        case mounts = "Mounts"
        case networkSettings = "NetworkSettings"
    }
}

/// What happened to a container.
struct EventDocument: Decodable {
    struct Actor: Decodable {
        var id: String?
        var attributes: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case id = "ID"
            case attributes = "Attributes"
        }
    }
    var action: String
    var actor: Actor

    var exitCode: Int? { actor.attributes?["exitCode"].flatMap { Int($0) } }

    private enum CodingKeys: String, CodingKey {
        case action = "Action"
        case actor = "Actor"
    }
}

struct RestartPolicyDocument: Codable, Equatable {
    var name: String
    var maximumRetryCount: Int?

    private enum CodingKeys: String, CodingKey {
        case name = "Name"
        case maximumRetryCount = "MaximumRetryCount"
    }
}

struct CreatedContainer: Decodable {
    var id: String

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
    }
}

/// Anything with a name; only that it exists matters.
struct ExistingThing: Decodable {}

/// The body of `POST /containers/create`.
struct CreateDocument: Encodable, Equatable {
    struct Nothing: Encodable, Equatable {}
    struct PortBinding: Encodable, Equatable {
        var hostPort: String

        private enum CodingKeys: String, CodingKey {
            case hostPort = "HostPort"
        }
    }
    struct Mount: Encodable, Equatable {
        struct VolumeOptions: Encodable, Equatable {
            /// Whether what the image has at the target is not copied into an empty volume.
            var noCopy: Bool

            private enum CodingKeys: String, CodingKey { case noCopy = "NoCopy" }
        }
        var type: String
        var source: String
        var target: String
        var readOnly: Bool
        var volumeOptions: VolumeOptions?

        private enum CodingKeys: String, CodingKey {
            case type = "Type"
            case source = "Source"
            case target = "Target"
            case readOnly = "ReadOnly"
            case volumeOptions = "VolumeOptions"
        }
    }
    struct Device: Encodable, Equatable {
        var pathOnHost: String
        var pathInContainer: String
        var cgroupPermissions: String

        private enum CodingKeys: String, CodingKey {
            case pathOnHost = "PathOnHost"
            case pathInContainer = "PathInContainer"
            case cgroupPermissions = "CgroupPermissions"
        }
    }
    struct HostConfig: Encodable, Equatable {
        var portBindings: [String: [PortBinding]]?
        var mounts: [Mount]?
        var networkMode: String?
        var capAdd: [String]?
        var capDrop: [String]?
        var restartPolicy: RestartPolicyDocument?
        var nanoCpus: Int64?
        var memory: Int64?
        var memoryReservation: Int64?
        var devices: [Device]?
        var securityOptions: [String]?

        private enum CodingKeys: String, CodingKey {
            case portBindings = "PortBindings"
            case mounts = "Mounts"
            case networkMode = "NetworkMode"
            case capAdd = "CapAdd"
            case capDrop = "CapDrop"
            case restartPolicy = "RestartPolicy"
            case nanoCpus = "NanoCpus"
            case memory = "Memory"
            case memoryReservation = "MemoryReservation"
            case devices = "Devices"
            case securityOptions = "SecurityOpt"
        }
    }
    var image: String
    var cmd: [String]?
    var env: [String]?
    var labels: [String: String]
    var user: String?
    var exposedPorts: [String: Nothing]?
    var hostConfig: HostConfig

    private enum CodingKeys: String, CodingKey {
        case image = "Image"
        case cmd = "Cmd"
        case env = "Env"
        case labels = "Labels"
        case user = "User"
        case exposedPorts = "ExposedPorts"
        case hostConfig = "HostConfig"
    }
}
