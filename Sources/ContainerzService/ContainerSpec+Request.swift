import GNOI
import OCI
import RuntimeAPI

extension ImageName {
    /// The image of a request, whose tag is `latest` when it is empty.
    ///
    /// - Throws: ``RequestError``.
    init(requested name: String, tag: String, field: String = "name") throws(RequestError) {
        do throws(ImageReferenceError) {
            self.init(try ImageReference(repository: name, tag: tag.isEmpty ? nil : tag))
        } catch {
            throw RequestError(error.part == .tag ? "tag" : field, "\(error)")
        }
    }
}

extension ContainerSpec {
    /// Every field of a StartContainerRequest, as the type it stands for.
    ///
    /// - Throws: ``RequestError``, or `RuntimeError.restartPolicyRejected` for a policy nobody
    ///   knows.
    init(_ request: Gnoi_Containerz_StartContainerRequest) throws {
        self.init(name: request.instanceName)
        if !request.imageName.isEmpty {
            image = try ImageName(
                requested: request.imageName, tag: request.tag, field: "image_name")
        } else if !request.tag.isEmpty {
            throw RequestError("image_name", "there is a tag, but no name")
        }
        command = try ShellWords.split(request.cmd)
        ports = try request.ports.map(PortMapping.init(_:))
        environment = request.environment
        volumes = request.volumes.map {
            VolumeMount(name: $0.name, mountPoint: $0.mountPoint, readOnly: $0.readOnly)
        }
        network = request.network
        capabilities = Capabilities(add: request.cap.add, remove: request.cap.remove)
        restart = try RestartPolicy(request.restart)
        user = request.runAs.user
        group = request.runAs.group
        labels = request.labels
        // JSON has no words for the others.
        guard request.limits.maxCpu.isFinite else {
            throw RequestError("limits", "\(request.limits.maxCpu) CPUs is not a number")
        }
        limits = Limits(
            cpus: request.limits.maxCpu, softMemory: request.limits.softMemBytes,
            hardMemory: request.limits.hardMemBytes)
        devices = try request.devices.map(Device.init(_:))
        location = try Location(request.location)
        try checkSize()
    }
}

extension ContainerSpec.PortMapping {
    fileprivate init(_ port: Gnoi_Containerz_StartContainerRequest.Port) throws(RequestError) {
        guard let `internal` = UInt16(exactly: port.internal),
            let external = UInt16(exactly: port.external)
        else { throw RequestError("ports", "\(port.internal):\(port.external) is out of range") }
        self.init(internal: `internal`, external: external)
    }
}

extension ContainerSpec.RestartPolicy {
    fileprivate init(_ restart: Gnoi_Containerz_StartContainerRequest.Restart) throws(RuntimeError)
    {
        let policy: Policy
        switch restart.policy {
        case .none: policy = .never
        case .always: policy = .always
        case .unlessStopped: policy = .unlessStopped
        case .onFailure: policy = .onFailure
        case .UNRECOGNIZED(let number):
            throw .restartPolicyRejected(reason: "there is no policy \(number)")
        }
        self.init(policy, attempts: Int(restart.attempts))
    }
}

extension ContainerSpec.Device {
    fileprivate init(_ device: Gnoi_Containerz_Device) throws(RequestError) {
        var permissions: [Permission] = []
        for permission in device.permissions {
            switch permission {
            case .unspecified: continue
            case .read: permissions.append(.read)
            case .write: permissions.append(.write)
            case .mknod: permissions.append(.mknod)
            case .UNRECOGNIZED(let number):
                throw RequestError("devices", "there is no permission \(number)")
            }
        }
        self.init(
            source: device.srcPath, destination: device.dstPath, permissions: permissions)
    }
}

extension ContainerSpec.Location {
    fileprivate init(
        _ location: Gnoi_Containerz_StartContainerRequest.Location
    ) throws(RequestError) {
        switch location {
        case .lUnknown, .lPrimary: self = .primary
        case .lBackup: self = .backup
        case .lAll: self = .all
        case .UNRECOGNIZED(let number):
            throw RequestError("location", "there is no location \(number)")
        }
    }
}
