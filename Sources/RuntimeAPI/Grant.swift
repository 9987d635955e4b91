/// What a container was given of the device: all of its specification but what may hold secrets,
/// which are its command, environment and labels.
public struct Grant: Codable, Hashable, Sendable {
    public var image: ImageName
    /// The digest of the image's configuration, `sha256:…`.
    public var imageID: String
    /// `USER` or `USER:GROUP`, the image's own where the specification has none.
    public var user: String
    public var network: String
    public var ports: [ContainerSpec.PortMapping]
    public var volumes: [ContainerSpec.VolumeMount]
    public var devices: [ContainerSpec.Device]
    /// What was asked for.
    public var capabilities: ContainerSpec.Capabilities
    /// What the container has, without `CAP_`; `ALL` for everything.
    public var capabilitySet: [String]
    /// Whether its programs can gain privileges, as setuid programs do.
    public var newPrivileges: Bool
    public var restart: ContainerSpec.RestartPolicy
    public var limits: ContainerSpec.Limits

    /// - Parameter user: empty for the engine's default, which is root.
    public init(
        _ spec: ContainerSpec, image: ImageName, imageID: String, user: String,
        capabilitySet: some Sequence<String>, newPrivileges: Bool
    ) {
        self.image = image
        self.imageID = imageID
        self.user = user.isEmpty ? "root" : user
        network = Self.network(spec)
        ports = spec.ports
        volumes = spec.volumes
        devices = spec.devices
        capabilities = spec.capabilities
        self.capabilitySet = capabilitySet.sorted()
        self.newPrivileges = newPrivileges
        restart = spec.restart
        limits = spec.limits
    }

    /// The engines' default network is `bridge`.
    private static func network(_ spec: ContainerSpec) -> String {
        ["", "default", "bridged"].contains(spec.network) ? "bridge" : spec.network
    }
}
