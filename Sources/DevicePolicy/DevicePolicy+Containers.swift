import OCI
import RuntimeAPI

// What a container to be has to pass.

extension DevicePolicy {
    /// Checks a container that is about to be created or started again; all but its image's
    /// signature.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func check(
        _ spec: ContainerSpec, _ facts: ContainerFacts, on files: some PathResolver = FileSystem()
    ) throws(RuntimeError) {
        if let image = spec.image { try check(image, facts.imageDigest) }
        try check(capabilities: spec.capabilities.add)
        try checkNetwork(spec.network)
        try check(spec.ports)
        try checkUser(spec, facts.imageUser)
        try check(spec.limits)
        for device in spec.devices { try check(device: device.source, on: files) }
        for mount in spec.volumes where mount.isBind {
            try check(bind: mount.name, facts.engine, on: files)
        }
        for known in facts.volumes {
            if !known.isOwn { try checkForeign("volume \(known.volume.name)") }
            try check(
                driver: known.volume.driver, known.volume.options, facts.engine, on: files)
        }
        try checkNesting(SharedFolder.all(of: spec, facts.volumes), facts.others, on: files)
    }

    /// Whoever may write to a folder can replace what is below it by a link to anything: the
    /// engine would follow that when it starts a container again, and asks nobody then.
    private func checkNesting(
        _ own: [SharedFolder], _ others: [SharedFolder], on files: some PathResolver
    ) throws(RuntimeError) {
        for folder in own {
            guard let place = HostPath(files.resolve(folder.path)) else { continue }
            for other in own + others {
                guard let otherPlace = HostPath(files.resolve(other.path)), place != otherPlace,
                    other.isWritable && place.isWithin(otherPlace)
                        || folder.isWritable && otherPlace.isWithin(place)
                else { continue }
                throw Self.denial(
                    .hostPaths,
                    "\(place) and \(otherPlace), which a container has, lie one in the other, and "
                        + "who may write to the outer one could make anything of the inner one")
            }
        }
    }

    private func check(capabilities added: [String]) throws(RuntimeError) {
        guard !capabilities.contains(CapabilityName.all) else { return }
        for text in added {
            // What is no capability's name is not for the policy to say.
            let name = CapabilityName.normalised(text) ?? text
            guard capabilities.contains(name) else {
                throw Self.refusal(.capabilities, "capability \(name) is not among those allowed")
            }
        }
    }

    private func checkNetwork(_ network: String) throws(RuntimeError) {
        let name = ["", "default", "bridged"].contains(network) ? "bridge" : network
        guard networks.match(name) else {
            throw Self.refusal(.networks, "network \(name) is not among those allowed")
        }
    }

    private func check(_ mappings: [ContainerSpec.PortMapping]) throws(RuntimeError) {
        for mapping in mappings
        where !ports.contains(where: { $0.contains(mapping.external) }) {
            throw Self.refusal(
                .ports, "port \(mapping.external) of the device is not among those allowed")
        }
    }

    /// - Parameter imageUser: what counts where the specification has none.
    private func checkUser(
        _ spec: ContainerSpec, _ imageUser: String?
    ) throws(RuntimeError) {
        // A group alone leaves the user at the engine's default, which is root.
        let given = spec.user.isEmpty && !spec.group.isEmpty ? "0" : spec.user
        guard let user = given.isEmpty ? imageUser : given else { return }
        let name = UserPattern.normalised(user)
        let shown = name == "0" ? "root" : name
        if let entry = users.deny.first(where: { $0.matches(name) }) {
            throw Self.denial(.users, "user \(shown) is denied by '\(entry)'")
        }
        guard users.allow.contains(where: { $0.matches(name) }) else {
            throw Self.refusal(.users, "user \(shown) is not among those allowed")
        }
        // An image can call anybody anything: a name says nothing where numbers are denied.
        if !UserPattern.isNumber(name), !users.deny.isEmpty,
            !users.allow.contains(where: { !$0.isAny && $0.matches(name) })
        {
            throw Self.denial(
                .users,
                "user \(name) may be any number in the image: give the number, or allow the name")
        }
    }

    private func check(_ wanted: ContainerSpec.Limits) throws(RuntimeError) {
        if let most = limits.memory, wanted.hardMemory <= 0 || wanted.hardMemory > most {
            let asked = wanted.hardMemory <= 0 ? "no limit" : "\(wanted.hardMemory)"
            throw Self.refusal(
                .limits, "at most \(most) bytes of memory are allowed, not \(asked)")
        }
        if let most = limits.cpus, !(wanted.cpus > 0 && wanted.cpus <= most) {
            let asked = wanted.cpus > 0 ? "\(wanted.cpus)" : "no limit"
            throw Self.refusal(.limits, "at most \(most) CPUs are allowed, not \(asked)")
        }
    }

    // MARK: Files of the device

    /// A device by its own name and by what that leads to.
    func check(device path: String, on files: some PathResolver) throws(RuntimeError) {
        for place in try Self.places(of: path, .devices, on: files)
        where !devices.match(place.description) {
            throw Self.refusal(.devices, "device \(place) is not among those allowed")
        }
    }

    /// A file or folder by its own name and by what that leads to.
    func check(
        bind path: String, _ engine: EnginePaths, on files: some PathResolver
    ) throws(RuntimeError) {
        let engine = engine.paths.flatMap { [$0, files.resolve($0)] }.compactMap(HostPath.init(_:))
        let denied = hostPaths.deny.flatMap { [$0, HostPath(trusting: files.resolve("\($0)"))] }
        for place in try Self.places(of: path, .hostPaths, on: files) {
            if let entry = engine.first(where: place.touches) {
                throw Self.denial(.hostPaths, "\(place) has the engine's own \(entry)")
            }
            if let entry = denied.first(where: place.touches) {
                throw Self.denial(.hostPaths, "\(place) has something of \(entry)")
            }
            guard hostPaths.allow.contains(where: place.isWithin) else {
                throw Self.refusal(.hostPaths, "\(place) is in none of the folders allowed")
            }
        }
    }

    /// Everything a path may be taken for: as it is written, and with its links followed before
    /// or after `..` is worked out, since programs differ in that.
    private static func places(
        of path: String, _ rule: Rule, on files: some PathResolver
    ) throws(RuntimeError) -> [HostPath] {
        guard let literal = HostPath(path), let real = HostPath(files.resolve(path)),
            let tidied = HostPath(files.resolve(literal.description))
        else { throw refusal(rule, "'\(path)' is not an absolute path") }
        return [literal, real, tidied]
    }
}
