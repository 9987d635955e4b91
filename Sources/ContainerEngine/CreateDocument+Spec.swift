import DevicePolicy
import PrintableText
import RuntimeAPI

extension CreateDocument {
    /// The engine's request for a container as specified.
    ///
    /// - Parameter imageName: the engine's name for the image.
    /// - Throws: `RuntimeError.invalidArgument`, `.restartPolicyRejected`, `.userRejected` for
    ///   what cannot be right whatever the state of the device.
    init(_ spec: ContainerSpec, image: ImageName, imageName: String) throws(RuntimeError) {
        let network = try Self.networkMode(spec)
        var host = HostConfig(networkMode: network)
        let published = network == "host" ? [] : spec.ports
        if !published.isEmpty {
            host.portBindings = [:]
            exposedPorts = [:]
            for port in published {
                let key = "\(port.internal)/tcp"
                host.portBindings?[key, default: []].append(.init(hostPort: "\(port.external)"))
                exposedPorts?[key] = Nothing()
            }
        }
        if !spec.volumes.isEmpty { host.mounts = try spec.volumes.map(Self.mount) }
        if !spec.capabilities.remove.isEmpty {
            host.capDrop = try spec.capabilities.remove.map(Capability.parse)
        }
        if !spec.capabilities.add.isEmpty {
            host.capAdd = try spec.capabilities.add.map(Capability.parse)
        }
        host.restartPolicy = try Self.restartPolicy(spec.restart)
        try Self.setLimits(spec.limits, &host)
        if !spec.devices.isEmpty { host.devices = try spec.devices.map(Self.device) }

        self.image = imageName
        cmd = spec.command.isEmpty ? nil : spec.command
        env = try Self.environment(spec.environment)
        labels = try Self.labels(spec, image)
        user = try Self.user(spec)
        hostConfig = host
    }

    /// gNOI speaks of a network "bridged"; the engines' is called "bridge".
    private static func networkMode(_ spec: ContainerSpec) throws(RuntimeError) -> String? {
        let network = spec.network == "bridged" ? "bridge" : spec.network
        var externals: Set<UInt16> = []
        for port in spec.ports {
            guard port.internal != 0, port.external != 0 else {
                throw .invalidArgument(
                    field: "ports", reason: "\(port.internal):\(port.external) has a port 0")
            }
            if network == "host", port.internal != port.external {
                throw .invalidArgument(
                    field: "ports",
                    reason: "\(port.internal) cannot become \(port.external) on the device's own "
                        + "network, where a container's ports are the device's")
            }
            guard externals.insert(port.external).inserted else {
                throw .invalidArgument(
                    field: "ports", reason: "external port \(port.external) is there twice")
            }
        }
        if network == "none", !spec.ports.isEmpty {
            throw .invalidArgument(
                field: "ports", reason: "a container without a network has no ports")
        }
        // The engine's configuration may have another default.
        return ["", "default"].contains(network) ? "bridge" : network
    }

    private static let kernelFolders = ["/dev", "/proc", "/sys"].map(HostPath.init(trusting:))
    private static let ownMemory = ["/dev/shm", "/dev/mqueue"].map(HostPath.init(trusting:))

    private static func mount(_ volume: ContainerSpec.VolumeMount) throws(RuntimeError) -> Mount {
        guard !volume.name.isEmpty else {
            throw .invalidArgument(field: "volumes", reason: "a volume has no name")
        }
        guard isPlain(volume.name) else {
            throw .invalidArgument(
                field: "volumes",
                reason:
                    "'\(excerpt(volume.name))' has a comma, a quote or a control "
                    + "character in it")
        }
        guard let target = HostPath(volume.mountPoint), !target.isRoot,
            !volume.mountPoint.split(separator: "/").contains(".."), isPlain(volume.mountPoint)
        else {
            throw .invalidArgument(
                field: "volumes",
                reason: "mount point '\(excerpt(volume.mountPoint))' of "
                    + "\(excerpt(volume.name)) is not an absolute path")
        }
        // What the engine mounts there itself keeps the container from the kernel's settings.
        if let folder = kernelFolders.first(where: target.isWithin),
            !ownMemory.contains(where: target.isWithin)
        {
            throw .invalidArgument(
                field: "volumes",
                reason: "mount point \(excerpt(volume.mountPoint)) is in \(folder), which is the "
                    + "kernel's")
        }
        return Mount(
            type: volume.isBind ? "bind" : "volume", source: volume.name,
            target: volume.mountPoint, readOnly: volume.readOnly)
    }

    /// Podman makes one text of a mount, `source=…,target=…`, and of a device, `…:…:rwm`, and reads
    /// that again: what separates there cannot be in a path, or the policy would be asked for
    /// something else than what is mounted.
    private static func isPlain(_ path: String) -> Bool {
        path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && !",\"".utf8.contains($0) }
    }

    static func restartPolicy(
        _ restart: ContainerSpec.RestartPolicy
    ) throws(RuntimeError) -> RestartPolicyDocument {
        guard restart.attempts >= 0, restart.attempts == 0 || restart.policy == .onFailure else {
            throw .restartPolicyRejected(
                reason: "a number of attempts goes only with 'on failure'")
        }
        switch restart.policy {
        case .never: return RestartPolicyDocument(name: "no")
        case .always: return RestartPolicyDocument(name: "always")
        case .unlessStopped: return RestartPolicyDocument(name: "unless-stopped")
        case .onFailure:
            return RestartPolicyDocument(
                name: "on-failure", maximumRetryCount: restart.attempts)
        }
    }

    /// The least memory that Docker accepts.
    private static let leastMemory: Int64 = 6 << 20

    private static func setLimits(
        _ limits: ContainerSpec.Limits, _ host: inout HostConfig
    ) throws(RuntimeError) {
        func invalid(_ reason: String) -> RuntimeError {
            .invalidArgument(field: "limits", reason: reason)
        }
        guard limits.cpus.isFinite, limits.cpus >= 0, limits.cpus <= 1_000_000 else {
            throw invalid("\(limits.cpus) CPUs is not a limit")
        }
        guard limits.softMemory >= 0, limits.hardMemory >= 0 else {
            throw invalid("memory cannot be negative")
        }
        guard limits.hardMemory == 0 || limits.hardMemory >= leastMemory else {
            throw invalid("\(limits.hardMemory) bytes of memory are fewer than \(leastMemory)")
        }
        guard limits.hardMemory == 0 || limits.softMemory <= limits.hardMemory else {
            throw invalid("the soft limit of memory is above the hard one")
        }
        if limits.cpus > 0 {
            // Docker's least is a hundredth.
            guard limits.cpus >= 0.01 else { throw invalid("fewer than 0.01 CPUs") }
            host.nanoCpus = Int64((limits.cpus * 1e9).rounded())
        }
        if limits.softMemory > 0 { host.memoryReservation = limits.softMemory }
        if limits.hardMemory > 0 { host.memory = limits.hardMemory }
    }

    private static func device(_ device: ContainerSpec.Device) throws(RuntimeError) -> Device {
        func invalid(_ reason: String) -> RuntimeError {
            .invalidArgument(field: "devices", reason: reason)
        }
        guard device.source.hasPrefix("/"), isPlain(device.source),
            !device.source.utf8.contains(UInt8(ascii: ":"))
        else {
            throw invalid("'\(excerpt(device.source))' is not an absolute path")
        }
        let destination = device.destination.isEmpty ? device.source : device.destination
        guard destination.hasPrefix("/"), isPlain(destination),
            !destination.utf8.contains(UInt8(ascii: ":"))
        else {
            throw invalid("'\(excerpt(destination))' is not an absolute path")
        }
        // Elsewhere it may be a folder of the device, where the node would stay.
        guard
            device.destination.isEmpty
                || HostPath(trusting: destination).isWithin(HostPath(trusting: "/dev"))
                    && !destination.split(separator: "/").contains("..")
        else {
            throw invalid("the path in the container, '\(excerpt(destination))', is not below /dev")
        }
        var permissions = ""
        for permission in ContainerSpec.Device.Permission.allCases
        where device.permissions.isEmpty || device.permissions.contains(permission) {
            switch permission {
            case .read: permissions += "r"
            case .write: permissions += "w"
            case .mknod: permissions += "m"
            }
        }
        return Device(
            pathOnHost: device.source, pathInContainer: destination,
            cgroupPermissions: permissions)
    }

    private static func environment(
        _ environment: [String: String]
    ) throws(RuntimeError) -> [String]? {
        for (key, value) in environment {
            guard !key.isEmpty, !key.utf8.contains(UInt8(ascii: "=")), !key.utf8.contains(0),
                !value.utf8.contains(0)
            else {
                throw .invalidArgument(
                    field: "environment",
                    reason: "'\(excerpt(key))' is not a name and a value")
            }
        }
        return environment.isEmpty
            ? nil : environment.map { "\($0.key)=\($0.value)" }.sorted()
    }

    private static func labels(
        _ spec: ContainerSpec, _ image: ImageName
    ) throws(RuntimeError) -> [String: String] {
        let location = LocationLabel.value(spec.location)
        if let label = spec.labels[LocationLabel.intended], label != location {
            throw .invalidArgument(
                field: "labels",
                reason: "\(LocationLabel.intended) is \(excerpt(label)), but the "
                    + "location asked for is \(location)")
        }
        guard spec.labels[""] == nil else {
            throw .invalidArgument(field: "labels", reason: "a label has no name")
        }
        // Podman writes `name=value` and reads that again.
        if let label = spec.labels.keys.first(where: {
            $0.utf8.contains(UInt8(ascii: "=")) || !isPlain($0)
        }) {
            throw .invalidArgument(
                field: "labels",
                reason:
                    "'\(excerpt(label))' has an equals sign, a comma, a quote or a "
                    + "control character in its name")
        }
        try EngineLabel.check(spec.labels)
        var labels = spec.labels
        labels.merge(LocationLabel.labels(for: spec.location)) { _, ours in ours }
        labels[EngineLabel.image] = image.description
        return labels
    }

    private static func user(_ spec: ContainerSpec) throws(RuntimeError) -> String? {
        func isName(_ text: String) -> Bool {
            text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ":") }
        }
        guard isName(spec.user), isName(spec.group) else {
            throw .userRejected(
                user: excerpt("\(spec.user):\(spec.group)"),
                reason: "that is no name or number of a user and a group")
        }
        if spec.group.isEmpty { return spec.user.isEmpty ? nil : spec.user }
        // A group alone leaves the user at the engine's default, which is root.
        return "\(spec.user.isEmpty ? "0" : spec.user):\(spec.group)"
    }
}
