import DevicePolicy
import PrintableText
import RuntimeAPI
import SystemIO

extension DockerEngine {
    public func volumes(_ filters: Runtime.Filters) async throws -> [Volume] {
        let compiled = try Filters(filters, allowed: Filters.volumeKeys)
        return try await translating {
            try await listVolumes(into: []) { volumes, document in
                let volume = Volume(document)
                if compiled.matches(volume) { volumes.append(volume) }
            }.sorted { $0.name < $1.name }
        }
    }

    /// Reads the engine's volumes one by one; what is made of them is made away from the loop where
    /// there are many.
    ///
    /// - Parameter total: what they are added to.
    func listVolumes<Total: Sendable>(
        into total: Total,
        _ add: @escaping @Sendable (inout Total, VolumeDocument) throws -> Void
    ) async throws -> Total {
        try await api.list("/volumes", under: "Volumes", of: VolumeDocument.self, into: total, add)
    }

    public func create(_ spec: VolumeSpec) async throws -> String {
        try LocalVolume.check(spec)
        let directory = LocalVolume.directory(spec)
        if let directory { try HostFile.requireTopFolder(of: directory) }
        try policies.policy.check(spec, reserved)
        if let directory { try HostFile.require(directory) }
        return try await translating {
            try await admission.take { try await createAdmitted(spec) }
        }
    }

    private func createAdmitted(_ spec: VolumeSpec) async throws -> String {
        // The engines answer an existing name with the volume that has it, whatever it is.
        if !spec.name.isEmpty, try await findVolume(spec.name) != nil {
            throw RuntimeError.volumeExists(spec.name)
        }
        do {
            let name = try await api.post(
                "/volumes/create", json: VolumeRequest(spec), as: VolumeDocument.self
            ).name
            // Any other may have been in use already.
            if spec.driver == VolumeSpec.localDriver, spec.options.isEmpty {
                try await history.created(volume: name)
            }
            return name
        } catch let failure as EngineAPI.Failure {
            throw Self.creationError(failure, of: spec)
        }
    }

    public func remove(volume name: String, force: Bool) async throws {
        try await translating {
            try await admission.take { try await removeUnmounted(name, force: force) }
        }
    }

    private func removeUnmounted(_ name: String, force: Bool) async throws {
        guard let volume = try await findVolume(name) else {
            throw RuntimeError.volumeNotFound(excerpt(name))
        }
        if !volume.isOwn { try policies.policy.checkForeign("volume \(name)") }
        let containers = try await containerSummaries(all: true, as: MountingContainer.self)
        if let user = containers.first(where: { $0.mounts(volume: name) }) {
            throw RuntimeError.volumeInUse(name, container: Self.name(user.summary))
        }
        do {
            try await api.call(
                "DELETE", "/volumes/\(percentEncoded(name))",
                force && !dialect.forcedVolumeRemovalTakesContainers ? [("force", "1")] : [])
        } catch let failure as EngineAPI.Failure where failure.status == 404 {
            throw RuntimeError.volumeNotFound(name)
        } catch let failure as EngineAPI.Failure where failure.status == 409 {
            throw RuntimeError.volumeInUse(name, container: "unknown")
        }
    }

    func findVolume(_ name: String) async throws -> VolumeDocument? {
        guard InstanceName.isValid(name) else { return nil }
        // Podman also takes the beginning of a name.
        let path = "/volumes/\(percentEncoded(name))"
        guard let found = try await api.find(path, as: VolumeDocument.self), found.name == name
        else { return nil }
        return found
    }

    private static func creationError(
        _ failure: EngineAPI.Failure, of spec: VolumeSpec
    ) -> any Error {
        if spec.driver != VolumeSpec.localDriver,
            failure.status == 404 || EngineTexts.saysDriverIsUnknown(failure.message)
        {
            return RuntimeError.driverNotFound(excerpt(spec.driver))
        }
        if failure.status == 400 {
            return RuntimeError.invalidArgument(field: "options", reason: failure.message)
        }
        return failure
    }
}

extension Volume {
    init(_ document: VolumeDocument) {
        self.init(
            name: document.name, driver: document.driver ?? VolumeSpec.localDriver,
            options: document.options ?? [:],
            labels: EngineLabel.visible(of: document.labels ?? [:]),
            created: document.created.flatMap(DockerEngine.unixTime)?.seconds ?? 0,
            managed: document.isOwn)
    }
}
