import DevicePolicy
import OCI
import RuntimeAPI
import SystemIO

// What the policy has to be told. It is asked last, of things that exist, right before they are
// put to use.

extension DockerEngine {
    /// What nobody may bind, whatever the policy says.
    var paths: EnginePaths { EnginePaths([api.socket, storageRoot]) }

    /// Asks for a container that is about to be created.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    ///
    /// - Parameter old: the id of a container that will be gone by then.
    func admit(
        _ spec: ContainerSpec, of image: FoundImage, with volumes: [KnownVolume],
        replacing old: String? = nil
    ) async throws {
        guard let document = try await self.image(image.id) else {
            throw RuntimeError.imageNotFound(image.name)
        }
        try admit(
            spec, as: image.name,
            ContainerFacts(
                imageDigest: Self.digest(image.id), imageUser: document.config?.user ?? "",
                volumes: volumes, engine: paths,
                others: try await sharedFolders(of: spec, volumes, besides: old)))
    }

    /// Asks for a container that exists and is about to be started again, by what it was created
    /// with.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    func admitAgain(_ container: ContainerDocument, named name: String) async throws {
        try requireOwn(container, named: name)
        // One that is not ours, and that the policy lets us have all the same.
        guard let spec = Self.keptSpec(of: container), let image = spec.image else { return }
        let volumes = try await knownVolumes(of: spec)
        try admit(
            spec, as: try image.familiar(),
            ContainerFacts(
                imageDigest: container.image.flatMap(Self.digest),
                imageUser: container.config?.user ?? "", volumes: volumes, engine: paths,
                others: try await sharedFolders(of: spec, volumes, besides: container.id)))
    }

    /// The folders of the device that containers of ours have.
    ///
    /// - Parameter container: whose do not count.
    private func sharedFolders(
        of spec: ContainerSpec, _ volumes: [KnownVolume], besides container: String?
    ) async throws -> [SharedFolder] {
        // Most containers have none, and then others' do not matter.
        guard !SharedFolder.all(of: spec, volumes).isEmpty else { return [] }
        let listed: VolumeList = try await api.get("/volumes")
        let known = Dictionary(
            (listed.volumes ?? []).map { ($0.name, KnownVolume(Volume($0), isOwn: $0.isOwn)) },
            uniquingKeysWith: { first, _ in first })
        return try await containerSummaries(all: true).filter { $0.id != container }
            .compactMap { Self.keptSpec(of: $0) }.flatMap { spec in
                SharedFolder.all(of: spec, spec.volumes.compactMap { known[$0.name] })
            }
    }

    /// The volumes it mounts by their names, as far as there are any.
    func knownVolumes(of spec: ContainerSpec) async throws -> [KnownVolume] {
        var volumes: [KnownVolume] = []
        for mount in spec.volumes where !mount.isBind {
            if let volume = try await findVolume(mount.name) {
                volumes.append(KnownVolume(Volume(volume), isOwn: volume.isOwn))
            }
        }
        return volumes
    }

    private func admit(
        _ spec: ContainerSpec, as image: ImageName, _ facts: ContainerFacts
    ) throws(RuntimeError) {
        guard let digest = facts.imageDigest else {
            throw .engineFailed(reason: "it does not tell the digest of \(image)")
        }
        var spec = spec
        spec.image = image
        try policies.policy.check(spec, facts)
        try policies.requireSignature(of: image, digest)
    }

    /// - Throws: `RuntimeError.notPermitted` for a container that was not started by us.
    func requireOwn(_ container: ContainerDocument, named name: String) throws(RuntimeError) {
        if Self.keptSpec(of: container) == nil {
            try policies.policy.checkForeign("container \(name)")
        }
    }

    public func requireOwn(_ container: ContainerDetails) throws {
        if container.spec == nil {
            try policies.policy.checkForeign("container \(container.name)")
        }
    }

    /// - Throws: `RuntimeError.notPermitted` for an image whose name the policy does not cover.
    func requireOwn(_ image: FoundImage) throws(RuntimeError) {
        if !policies.policy.allowsForeign {
            try policies.policy.check(image.name, Self.digest(image.id))
        }
    }

    /// A tag may move between the question and the answer: what was created has to be of the
    /// image that was asked for.
    func requireImage(_ image: FoundImage, in id: String, named name: String) async throws {
        let created = try await findContainer(id)
        if let made = created?.image, ImageID.areSame(made, image.id) { return }
        await EventLoop.task { [self] in _ = try? await delete(id) }.value
        throw RuntimeError.startFailed(
            name: name, reason: "image \(image.name) was replaced in this very moment")
    }

    private func image(_ id: String) async throws -> ImageDocument? {
        try await api.find("/images/\(percentEncoded(id))/json", as: ImageDocument.self)
    }

    static func digest(_ id: String) -> Digest? {
        Digest(ImageID.full(id))
    }
}
