import DevicePolicy
import RuntimeAPI

extension DockerEngine {
    public func grant(to container: String) async throws -> Grant? {
        try await translating {
            guard let found = try await findContainer(container),
                InstanceName.withoutSlash(found.name) == container,
                let spec = try await ownSpec(of: found), let name = spec.image,
                let image = found.image
            else { return nil }
            var grant = Grant(
                spec, image: try name.familiar(), imageID: ImageID.full(image),
                user: found.config?.user ?? "",
                capabilitySet: policies.policy.capabilities(of: spec),
                newPrivileges: policies.policy.allowsNewPrivileges)
            // What is in force comes first: an old container may be of a time with another policy.
            let binds = (found.mounts ?? []).compactMap { mount in
                mount.bindSource.map {
                    ContainerSpec.VolumeMount(
                        name: $0, mountPoint: mount.destination,
                        readOnly: !(mount.isWritable ?? true))
                }
            }
            grant.volumes = binds + spec.volumes.filter { !$0.isBind }
            if let pid = found.state.pid, pid > 0,
                let privileges = ProcessPrivileges(ofProcess: pid)
            {
                grant.capabilitySet = privileges.capabilities
                grant.newPrivileges = privileges.mayGainMore
            }
            return grant
        }
    }

    public func grant(of spec: ContainerSpec) async throws -> Grant? {
        try await translating {
            guard let image = spec.image else { return nil }
            let found = try await findImage(image)
            var user =
                spec.group.isEmpty
                ? spec.user : "\(spec.user.isEmpty ? "0" : spec.user):\(spec.group)"
            if user.isEmpty { user = try await self.image(found.id)?.config?.user ?? "" }
            var grant = Grant(
                spec, image: found.name, imageID: ImageID.full(found.id), user: user,
                capabilitySet: policies.policy.capabilities(of: spec),
                newPrivileges: policies.policy.allowsNewPrivileges)
            let files = FileSystem()
            for index in grant.volumes.indices where grant.volumes[index].isBind {
                grant.volumes[index].name = files.resolve(grant.volumes[index].name)
            }
            return grant
        }
    }
}
