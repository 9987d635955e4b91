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
            // What cannot be right is said before anything is looked up.
            _ = try CreateDocument(spec, image: image, imageName: image.description)
            let found = try await findImage(image)
            if !spec.name.isEmpty, try await findContainer(spec.name) != nil {
                throw RuntimeError.containerExists(name: spec.name)
            }
            let volumes = try await checkSurroundings(spec)
            try await admit(spec, of: found, with: volumes)
            var document = try CreateDocument(
                spec, image: found.name, imageName: found.engineName)
            try Self.keep(spec, in: &document)
            let name = spec.name.isEmpty ? InstanceName.makeUp(for: found.name) : spec.name
            let id = try await create(document, spec, of: found, named: name)
            do {
                try Task.checkCancellation()
                try await api.call("POST", "/containers/\(id)/start")
            } catch {
                // Not in this task, which may be cancelled: it would keep the name for ever.
                await EventLoop.task { [self] in _ = try? await delete(id) }.value
                guard let failure = error as? EngineAPI.Failure else { throw error }
                throw EngineTexts.startFailure(failure.message, of: spec, named: name)
            }
            return name
        }
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

    /// Looks before it is too late: Docker makes up volumes it does not know, and tells of
    /// networks and ports only when the container exists already.
    ///
    /// - Parameter old: the id of a container that will be gone by then.
    /// - Returns: the volumes it mounts by their names.
    func checkSurroundings(
        _ spec: ContainerSpec, replacing old: String? = nil
    ) async throws -> [KnownVolume] {
        var volumes: [KnownVolume] = []
        for volume in spec.volumes {
            if volume.isBind {
                guard access(volume.name, F_OK) == 0 else {
                    throw RuntimeError.pathNotFound(excerpt(volume.name))
                }
            } else {
                guard let found = try await findVolume(volume.name) else {
                    throw RuntimeError.volumeNotFound(excerpt(volume.name))
                }
                volumes.append(KnownVolume(Volume(found), isOwn: found.isOwn))
            }
        }
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
        return volumes
    }

    func create(
        _ document: CreateDocument, _ spec: ContainerSpec, of image: FoundImage,
        named name: String
    ) async throws -> String {
        do {
            let id = try await api.post(
                "/containers/create", [("name", name)], json: document,
                as: CreatedContainer.self
            ).id
            try await requireImage(image, in: id, named: name)
            return id
        } catch let failure as EngineAPI.Failure {
            if failure.status == 409 || EngineTexts.saysNameIsTaken(failure.message) {
                throw RuntimeError.containerExists(name: name)
            }
            if failure.status == 404, let image = spec.image {
                throw RuntimeError.imageNotFound(image)
            }
            if failure.status == 400 {
                throw RuntimeError.invalidArgument(field: "request", reason: failure.message)
            }
            throw EngineTexts.startFailure(failure.message, of: spec, named: name)
        }
    }
}
