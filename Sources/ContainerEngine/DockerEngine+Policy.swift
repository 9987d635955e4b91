import DevicePolicy
import OCI
import RuntimeAPI
import SystemIO

// What the policy needs to know. It is asked last, about things that exist, right before they are
// put to use.

extension DockerEngine {
    /// What is never bound, whatever the policy says.
    var reserved: ReservedPaths {
        ReservedPaths(
            policies.reserved + [
                .init(api.socket, "the socket of the engine"),
                .init(storageRoot, "the storage of the engine"),
            ])
    }

    /// A container to be, as the policy has admitted it.
    struct Admitted {
        /// As it was asked for.
        var spec: ContainerSpec
        /// With binds by the paths that were admitted: without symbolic links, so that the engine
        /// follows none when it starts the container.
        var resolved: ContainerSpec
        var image: FoundImage
    }

    /// Asks for a container that is about to be created. Two requests must not be admitted beside
    /// each other, since neither would see the folders of the other: `admission` is held until
    /// the container exists.
    ///
    /// - Parameter old: the container that it replaces. That one still runs now, and may run
    ///   again after a failed update, so that its folders count as well.
    /// - Parameter isTrial: whether no container is created now.
    /// - Throws: `RuntimeError.notPermitted`.
    func admit(
        _ spec: ContainerSpec, of image: FoundImage, replacing old: ContainerDetails? = nil,
        isTrial: Bool = false
    ) async throws -> Admitted {
        guard let document = try await self.image(image.id) else {
            throw RuntimeError.imageNotFound(image.name)
        }
        try requireNoReservedLabels(document, image.name)
        try await requireHarmlessAnnotations(of: image.id, image.name)
        var volumes = try await knownVolumes(spec.volumes.filter { !$0.isBind }.map(\.name))
        if let old { volumes += try await inherited(by: spec, from: old) }
        let facts = try await addFolders(
            of: spec,
            to: ContainerFacts(
                imageDigest: Self.digest(image.id), imageUser: document.config?.user ?? "",
                volumes: volumes, reserved: reserved))
        let resolved = try admit(spec, as: image.name, facts)
        if !isTrial {
            try await history.note(SharedFolder.all(of: resolved, volumes).map(\.path))
        }
        return Admitted(spec: spec, resolved: resolved, image: image)
    }

    /// Asks for a container that exists and is about to be started again, by what it was created
    /// with.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    func admitAgain(_ container: ContainerDocument, named name: String) async throws {
        try await requireOwn(container, named: name)
        // A container that is not ours has none, and the policy allows it all the same.
        guard let own = try await ownSpec(of: container), let image = own.image else { return }
        let volumes = try await knownVolumes(own.volumes.filter { !$0.isBind }.map(\.name))
        try Self.requireNoMore(than: own, container, named: name)
        // The binds as the engine has them, which were resolved when the container was created.
        var spec = own
        spec.volumes =
            own.volumes.filter { !$0.isBind }
            + (container.mounts ?? []).compactMap { mount in
                mount.bindSource.map {
                    .init(
                        name: $0, mountPoint: mount.destination,
                        readOnly: !(mount.isWritable ?? true))
                }
            }
        let facts = try await addFolders(
            of: spec,
            to: ContainerFacts(
                imageDigest: container.image.flatMap(Self.digest),
                imageUser: container.config?.user ?? "", volumes: volumes, reserved: reserved),
            besides: container.id)
        _ = try admit(spec, as: try image.familiar(), facts)
    }

    /// What a label says of a container must not hide what the engine gives to it.
    private static func requireNoMore(
        than spec: ContainerSpec, _ container: ContainerDocument, named name: String
    ) throws(RuntimeError) {
        let network = container.hostConfig?.networkMode ?? ""
        let isShared = network == "host" || network.contains(":")
        guard container.hostConfig?.privileged ?? false || isShared && network != spec.network
        else { return }
        throw .notPermitted(
            rule: "ownership",
            reason: "container \(name) has more than it was started with through containerz")
    }

    /// Adds what other containers have, and had. Most containers have no folder of the device, and
    /// then it does not matter.
    private func addFolders(
        of spec: ContainerSpec, to facts: ContainerFacts, besides container: String? = nil
    ) async throws -> ContainerFacts {
        guard !SharedFolder.all(of: spec, facts.volumes).isEmpty else { return facts }
        var facts = facts
        let containers = try await ownContainersWithFolders()
        if try await !isAnyOwnContainerUp() { try await history.noContainerRuns() }
        try await history.note(containers.flatMap(\.folders).map(\.path))
        facts.others = containers.filter { $0.id != container }.flatMap(\.folders)
        facts.past = try history.folders()
        facts.boot = history.boot
        return facts
    }

    /// A container of ours and its folders.
    struct FolderHolder: Sendable {
        var id: String
        var name: String
        var isUp: Bool
        var folders: [SharedFolder]
    }

    /// Containers of ours, running or not, that have folders of the device.
    func ownContainersWithFolders() async throws -> [FolderHolder] {
        let known = try await listVolumes(into: [String: KnownVolume]()) {
            $0[$1.name] = $0[$1.name] ?? KnownVolume(Volume($1), isOwn: $1.isOwn)
        }
        let images = try await imageLabels()
        return try await listContainers(all: true, of: MountingContainer.self, into: []) {
            holders, container in
            guard Self.ownSpec(of: container.summary, images) != nil else { return }
            let name = Self.name(container.summary)
            let mounts = container.mounts ?? []
            let binds = mounts.compactMap(\.bindSource).map { SharedFolder($0, holder: name) }
            let volumes = SharedFolder.all(
                of: ContainerSpec(), mounts.compactMap { $0.name.flatMap { known[$0] } },
                holder: name)
            guard !(binds + volumes).isEmpty else { return }
            holders.append(
                FolderHolder(
                    id: container.summary.id, name: name, isUp: Self.isUp(container.summary),
                    folders: binds + volumes))
        }
    }

    /// Whether a container of ours may have a process. A container that is being stopped has one.
    private func isAnyOwnContainerUp() async throws -> Bool {
        let ended: Set = ["created", "configured", "initialized", "exited", "stopped", "dead"]
        return try await containerSummaries(all: true)
            .contains { $0.labels?[EngineLabel.spec] != nil && !ended.contains($0.state ?? "") }
    }

    /// The volumes of these names, as far as there are any.
    func knownVolumes(_ names: [String]) async throws -> [KnownVolume] {
        var volumes: [KnownVolume] = []
        for name in names {
            if let volume = try await findVolume(name) {
                volumes.append(KnownVolume(Volume(volume), isOwn: volume.isOwn))
            }
        }
        return volumes
    }

    /// Volumes of an old container that the new one takes over without naming them.
    private func inherited(
        by spec: ContainerSpec, from old: ContainerDetails
    ) async throws -> [KnownVolume] {
        try await knownVolumes(Self.inheritedMounts(spec, old).map(\.name)).map {
            // The engine made them up for the old container, so that they are the instance's own.
            KnownVolume($0.volume, isOwn: true)
        }
    }

    /// - Returns: the specification with the paths of its binds resolved.
    private func admit(
        _ spec: ContainerSpec, as image: ImageName, _ facts: ContainerFacts
    ) throws(RuntimeError) -> ContainerSpec {
        guard let digest = facts.imageDigest else {
            throw .engineFailed(reason: "it does not report the digest of \(image)")
        }
        var spec = spec
        spec.image = image
        let files = FileSystem()
        var resolved = spec
        for index in resolved.volumes.indices where resolved.volumes[index].isBind {
            resolved.volumes[index].name = files.resolve(resolved.volumes[index].name)
        }
        try policies.policy.check(spec, facts, on: files)
        // What the engine is given is what was checked, even if a link changed in between.
        if resolved != spec { try policies.policy.check(resolved, facts, on: files) }
        try policies.requireSignature(of: image, digest)
        return resolved
    }

    /// A tag may move between the question and the answer: what was created must be of the image
    /// that was asked for.
    func requireImage(_ image: FoundImage, in id: String, named name: String) async throws {
        let created = try await findContainer(id)
        if let made = created?.image, ImageID.areSame(made, image.id) { return }
        await EventLoop.task { [self] in _ = try? await delete(id) }.value
        throw RuntimeError.startFailed(
            name: name, reason: "image \(image.name) was replaced while the container was created")
    }

    static func digest(_ id: String) -> Digest? {
        Digest(ImageID.full(id))
    }
}
