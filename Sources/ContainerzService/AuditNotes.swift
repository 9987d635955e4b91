import GRPCTransport
import ImageStream
import OCI
import RuntimeAPI

// What audit records say of a container's access to the device, before the call by the request and
// after it by what the runtime did. Commands, environments and labels may hold secrets, and are
// left out.

extension ContainerSpec {
    /// What a request asks for.
    var auditNotes: [String: CallRecord.Note] {
        var notes = Self.notes(
            volumes: volumes, devices: devices, ports: ports, capabilities: capabilities,
            restart: restart, limits: limits)
        if let image { notes["image"] = .text("\(image)") }
        if !network.isEmpty { notes["network"] = .text(network) }
        if !user.isEmpty || !group.isEmpty {
            notes["user"] = .text(group.isEmpty ? user : "\(user):\(group)")
        }
        return notes
    }

    fileprivate static func notes(
        volumes: [VolumeMount], devices: [Device], ports: [PortMapping],
        capabilities: Capabilities, restart: RestartPolicy, limits: Limits
    ) -> [String: CallRecord.Note] {
        var notes: [String: CallRecord.Note] = [
            "binds": .list(volumes.filter(\.isBind).map(\.auditText)),
            "volumes": .list(volumes.filter { !$0.isBind }.map(\.auditText)),
            "devices": .list(devices.map(\.auditText)),
            "ports": .list(ports.map { "\($0.external):\($0.internal)" }),
            "cap_add": .list(capabilities.add), "cap_drop": .list(capabilities.remove),
        ]
        if restart.policy != .never { notes["restart"] = .text(restart.policy.rawValue) }
        if limits.cpus > 0 { notes["cpus"] = .number(limits.cpus) }
        if limits.hardMemory > 0 { notes["memory"] = .integer(limits.hardMemory) }
        return notes
    }
}

extension Grant {
    /// What a container was given.
    var auditNotes: [String: CallRecord.Note] {
        var notes = ContainerSpec.notes(
            volumes: volumes, devices: devices, ports: ports, capabilities: capabilities,
            restart: restart, limits: limits)
        notes["image"] = .text("\(image)")
        notes["image_id"] = .text(imageID)
        notes["network"] = .text(network)
        notes["user"] = .text(user)
        notes["capabilities"] = .list(capabilitySet)
        notes["new_privileges"] = .flag(newPrivileges)
        return notes
    }
}

extension CallInProgress {
    /// Says in the audit which image was deployed: the archive may name it.
    func tell(of image: NormalisedImage) {
        tell(image.name.tagged)
        note(["image_id": .text("\(image.configDigest)")])
    }
}

extension ContainerSpec.VolumeMount {
    fileprivate var auditText: String { "\(name):\(mountPoint)\(readOnly ? ":ro" : "")" }
}

extension ContainerSpec.Device {
    fileprivate var auditText: String {
        let letters = permissions.isEmpty ? Permission.allCases : permissions
        let access = letters.map { "\($0.rawValue.prefix(1))" }.joined()
        return "\(source):\(destination.isEmpty ? source : destination):\(access)"
    }
}

extension VolumeSpec {
    /// What a request asks for. Of the options only the device's own directory, since others may
    /// be passwords.
    var auditNotes: [String: CallRecord.Note] {
        var notes: [String: CallRecord.Note] = ["driver": .text(driver)]
        if driver == Self.localDriver, let source = options["device"], !source.isEmpty {
            notes["source"] = .text(source)
        }
        return notes
    }
}
