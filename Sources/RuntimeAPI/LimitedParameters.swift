import FoundationEssentials
import SystemIO
import Varlink

/// The parameters of a method, whose number and size are limited by ``RequestLimits``.
public protocol LimitedParameters: Codable, Sendable {
    /// - Throws: `RuntimeError.invalidArgument` with the parameter, the number and the maximum.
    func checkLimits() throws(RuntimeError)
}

extension Service {
    /// Answers a method of the runtime, once its parameters are found to be within the limits.
    public mutating func answer<M: Method>(
        _ method: M.Type,
        _ body: @escaping @Sendable @EventLoop (Call<M>) async throws -> M.Reply
    ) where M.Parameters: LimitedParameters, M.Failure == RuntimeError {
        on(method) { call in
            try call.parameters.checkLimits()
            return try await body(call)
        }
    }
}

extension Nothing: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {}
}

extension ImageName {
    /// - Parameter field: the parameter that holds it.
    /// - Throws: `RuntimeError.invalidArgument`.
    func checkLimits(_ field: String) throws(RuntimeError) {
        try RequestLimits.imageNameBytes.check("\(field).repository", repository)
        try RequestLimits.tagBytes.check("\(field).tag", tag)
    }
}

extension ContainerSpec: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try image?.checkLimits("image")
        try RequestLimits.check(
            "command", command, count: RequestLimits.commandWords,
            total: RequestLimits.commandBytes)
        try RequestLimits.nameBytes.check("name", name)
        try RequestLimits.ports.check("ports", ports.count)
        try RequestLimits.check(environment: environment)
        try RequestLimits.mounts.check("volumes", volumes.count)
        for volume in volumes {
            try RequestLimits.pathBytes.check("volumes.name", volume.name)
            try RequestLimits.pathBytes.check("volumes.mountPoint", volume.mountPoint)
        }
        try RequestLimits.nameBytes.check("network", network)
        for (field, names) in [
            ("capabilities.add", capabilities.add), ("capabilities.remove", capabilities.remove),
        ] {
            try RequestLimits.check(
                field, names, count: RequestLimits.capabilities, each: RequestLimits.nameBytes)
        }
        try RequestLimits.nameBytes.check("user", user)
        try RequestLimits.nameBytes.check("group", group)
        try RequestLimits.check(labels: labels)
        try RequestLimits.devices.check("devices", devices.count)
        for device in devices {
            try RequestLimits.pathBytes.check("devices.source", device.source)
            try RequestLimits.pathBytes.check("devices.destination", device.destination)
            try RequestLimits.devicePermissions.check(
                "devices.permissions", device.permissions.count)
        }
        try checkSize()
    }

    /// Checks the size of what is kept with the container: each of its fields may be within its
    /// own limit, also in an update that adds to what was there before.
    ///
    /// - Throws: `RuntimeError.invalidArgument`.
    public func checkSize() throws(RuntimeError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let size: Int
        do {
            size = try encoder.encode(self).count
        } catch {
            throw .invalidArgument(field: "container", reason: "it cannot be written as JSON")
        }
        try RequestLimits.containerBytes.check("container", size)
    }
}

extension VolumeSpec: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
        try RequestLimits.nameBytes.check("driver", driver)
        try RequestLimits.check("options", volumeOptions: options)
        try RequestLimits.check(labels: labels)
    }
}

private func check(filters: Runtime.Filters) throws(RuntimeError) {
    try RequestLimits.check(
        "filters", filters: filters.map { (key: $0.key, values: $0.value) })
}

extension Runtime.ListImages.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try check(filters: filters) }
}

extension Runtime.ListContainers.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try check(filters: filters) }
}

extension Runtime.ListVolumes.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try check(filters: filters) }
}

extension Runtime.LoadImage.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try image?.checkLimits("image") }
}

extension Runtime.AttachSignatures.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("image", image)
        try name?.checkLimits("name")
        try RequestLimits.manifestBytes.check("manifest", manifest?.count ?? 0)
        try RequestLimits.manifestBytes.check("index", index?.count ?? 0)
        try RequestLimits.signatures.check("signatures", signatures.count)
        for signature in signatures {
            try RequestLimits.signatureBytes.check("signatures.payload", signature.payload.count)
            try RequestLimits.signatureBytes.check(
                "signatures.signature", signature.signature.count)
        }
    }
}

extension Runtime.TagImage.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try image.checkLimits("image")
        try `as`.checkLimits("as")
    }
}

extension Runtime.RemoveImage.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try image.checkLimits("image") }
}

extension Runtime.StartContainer.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try spec.checkLimits() }
}

extension Runtime.StopContainer.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.RemoveContainer.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.GetGrant.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.UpdateContainer.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
        try image.checkLimits("image")
        try settings.checkLimits()
    }
}

extension Runtime.StreamLogs.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.CreateVolume.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) { try spec.checkLimits() }
}

extension Runtime.RemoveVolume.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.ListPlugins.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name ?? "")
    }
}

extension Runtime.StartPlugin.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.PluginName: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}

extension Runtime.RemoveUnusedContainer.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("id", id)
    }
}

extension Runtime.RemoveUnusedImage.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("id", id)
        try RequestLimits.imageNames.check("names", names.count)
        for name in names { try name.checkLimits("names") }
    }
}

extension Runtime.RemoveUnusedVolume.Parameters: LimitedParameters {
    public func checkLimits() throws(RuntimeError) {
        try RequestLimits.nameBytes.check("name", name)
    }
}
