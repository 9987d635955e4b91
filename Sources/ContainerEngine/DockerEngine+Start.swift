import DevicePolicy
import Glibc
import OCI
import PrintableText
import RuntimeAPI
import SystemIO

extension DockerEngine {
    public func start(_ spec: ContainerSpec) async throws -> String {
        try await translating {
            guard let image = spec.image else { return try await startStopped(spec) }
            if !spec.name.isEmpty { try InstanceName.check(spec.name) }
            // What cannot be right is reported before anything is looked up.
            _ = try CreateDocument(spec, image: image, imageName: image.description)
            try checkRequest(spec)
            let found = try await findImage(image)
            if !spec.name.isEmpty, try await findContainer(spec.name) != nil {
                throw RuntimeError.containerExists(name: spec.name)
            }
            let name = spec.name.isEmpty ? InstanceName.makeUp(for: found.name) : spec.name
            let id = try await admission.take {
                try await checkSurroundings(spec)
                let admitted = try await admit(spec, of: found)
                return try await create(try document(for: admitted, named: name), admitted, name)
            }
            do {
                try Task.checkCancellation()
                try await startChecked(id, named: name)
            } catch {
                // Not in this task, which may be cancelled: it would keep the name forever.
                await EventLoop.task { [self] in _ = try? await delete(id) }.value
                guard let failure = error as? EngineAPI.Failure else { throw error }
                throw EngineTexts.startFailure(failure.message, of: spec, named: name)
            }
            return name
        }
    }

    /// Checks what a request says by itself, before anything of the device is looked up: a client
    /// must not learn which files exist in folders that are denied.
    func checkRequest(_ spec: ContainerSpec) throws(RuntimeError) {
        for volume in spec.volumes where volume.isBind {
            try HostFile.requireTopFolder(of: volume.name)
        }
        for device in spec.devices { try HostFile.requirePlain(device: device.source) }
        try policies.policy.checkRequest(spec, reserved)
    }

    /// A name alone means a stopped container.
    private func startStopped(_ spec: ContainerSpec) async throws -> String {
        guard !spec.name.isEmpty else {
            throw RuntimeError.invalidArgument(
                field: "image_name", reason: "there is neither an image nor an instance")
        }
        guard let container = try await findContainer(spec.name) else {
            throw RuntimeError.containerNotFound(name: excerpt(spec.name))
        }
        guard !container.isUp, spec == ContainerSpec(name: spec.name) else {
            throw RuntimeError.containerExists(name: spec.name)
        }
        try await admitAgain(container, named: spec.name)
        try await start(container.id, nil, named: spec.name)
        return spec.name
    }

    /// Looks before it is too late: Docker makes up volumes it does not know, and reports missing
    /// networks and taken ports only when the container exists already.
    ///
    /// - Parameter old: the id of a container that will be gone by then.
    func checkSurroundings(_ spec: ContainerSpec, replacing old: String? = nil) async throws {
        for volume in spec.volumes {
            if volume.isBind {
                try HostFile.require(volume.name)
            } else if try await findVolume(volume.name) == nil {
                throw RuntimeError.volumeNotFound(excerpt(volume.name))
            }
        }
        for device in spec.devices { try HostFile.require(device: device.source) }
        let network = spec.network
        if !["", "default", "host", "none", "bridge", "bridged"].contains(network) {
            let path = "/networks/\(percentEncoded(network))"
            guard InstanceName.isValid(network),
                try await api.find(path, as: ExistingThing.self) != nil
            else { throw RuntimeError.networkNotFound(excerpt(network)) }
        }
        if !spec.ports.isEmpty, network != "host" {
            let taken = Set(
                try await containerSummaries(all: false, as: PublishingContainer.self)
                    .filter { $0.id != old }.flatMap { container in
                        (container.ports ?? []).filter { $0.type != "udp" }.compactMap(\.publicPort)
                    })
            if let port = spec.ports.first(where: { taken.contains($0.external) }) {
                throw RuntimeError.portInUse(port.external)
            }
        }
    }

    /// The engine's request for an admitted container, with what the policy gives to all of them.
    func document(for admitted: Admitted, named name: String) throws -> CreateDocument {
        var document = try CreateDocument(
            admitted.resolved, image: admitted.image.name, imageName: admitted.image.engineName)
        let policy = policies.policy
        let capabilities = dialect.capabilities(
            policy.capabilities(of: admitted.spec), added: admitted.spec.capabilities.add)
        document.hostConfig.capAdd = capabilities.add
        document.hostConfig.capDrop = capabilities.drop
        if !policy.allowsNewPrivileges {
            document.hostConfig.securityOptions = ["no-new-privileges"]
        }
        try Self.keep(admitted.spec, named: name, in: &document)
        return document
    }

    /// - Parameter name: the instance name, for errors and the container.
    func create(
        _ document: CreateDocument, _ admitted: Admitted, _ name: String
    ) async throws -> String {
        var document = document
        let mounts = document.hostConfig.mounts ?? []
        let volumes = Set(mounts.filter { $0.type == "volume" }.map(\.source))
        let fresh = try await history.mount(volumes: volumes)
        if dialect.copiesIntoVolumesThroughLinks {
            // The engine copies as root, and another container that has the volume could make a
            // link of what is copied to.
            for index in mounts.indices
            where mounts[index].type == "volume" && !fresh.contains(mounts[index].source) {
                document.hostConfig.mounts?[index].volumeOptions = .init(noCopy: true)
            }
        }
        do {
            return try await create(asked: document, admitted, name)
        } catch {
            // The first error is what matters; such a volume starts out empty.
            try? await history.didNotMount(volumes: fresh)
            throw error
        }
    }

    private func create(
        asked document: CreateDocument, _ admitted: Admitted, _ name: String
    ) async throws -> String {
        do {
            let id = try await api.post(
                "/containers/create", [("name", name)], json: document,
                as: CreatedContainer.self
            ).id
            try await requireImage(admitted.image, in: id, named: name)
            onContainerCreated?()
            return id
        } catch let failure as EngineAPI.Failure {
            if failure.status == 409 || EngineTexts.saysNameIsTaken(failure.message) {
                throw RuntimeError.containerExists(name: name)
            }
            if failure.status == 404 { throw RuntimeError.imageNotFound(admitted.image.name) }
            if failure.status == 400 {
                throw RuntimeError.invalidArgument(field: "request", reason: failure.message)
            }
            throw EngineTexts.startFailure(failure.message, of: admitted.spec, named: name)
        }
    }
}
