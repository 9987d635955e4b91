import PrintableText
import RuntimeAPI

// What a container has to pass.

extension DevicePolicy {
    /// Checks a container that is about to be created or started again; everything but its image's
    /// signature.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func check(
        _ spec: ContainerSpec, _ facts: ContainerFacts, on files: some PathResolver = FileSystem()
    ) throws(RuntimeError) {
        if let image = spec.image { try check(image, facts.imageDigest) }
        try checkRequest(spec, facts.reserved, on: files)
        try checkUser(spec, facts.imageUser)
        for known in facts.volumes {
            if !known.isOwn { try checkForeign("volume \(known.volume.name)") }
            try check(
                driver: known.volume.driver, known.volume.options, facts.reserved, on: files)
        }
        let folders = SharedFolder.all(of: spec, facts.volumes)
        if !folders.isEmpty {
            try FolderSeparation(files).check(
                folders, beside: facts.others, past: facts.past, boot: facts.boot)
        }
    }

    /// Checks what a request says by itself. This comes before anything of the device is looked
    /// up, so that a client cannot learn which files exist where it may not look.
    ///
    /// - Throws: `RuntimeError.notPermitted`.
    public func checkRequest(
        _ spec: ContainerSpec, _ reserved: ReservedPaths, on files: some PathResolver = FileSystem()
    ) throws(RuntimeError) {
        try check(capabilities: spec.capabilities.add)
        try checkNetwork(spec.network)
        try check(spec.ports)
        try check(spec.limits)
        for device in spec.devices { try check(device: device.source, on: files) }
        for mount in spec.volumes where mount.isBind {
            try check(bind: mount.name, reserved, on: files)
        }
    }

    /// The capabilities that a container has, without `CAP_`: those of every container without
    /// those that the request removes, and those that it adds.
    ///
    /// - Returns: `["ALL"]` for all of them.
    public func capabilities(of spec: ContainerSpec) -> Set<String> {
        func names(_ texts: [String]) -> Set<String> {
            Set(texts.map { CapabilityName.normalised($0) ?? $0 })
        }
        let removed = names(spec.capabilities.remove)
        let kept =
            removed.contains(CapabilityName.all) ? [] : defaultCapabilities.subtracting(removed)
        let all = kept.union(names(spec.capabilities.add))
        return all.contains(CapabilityName.all) ? [CapabilityName.all] : all
    }

    private func check(capabilities added: [String]) throws(RuntimeError) {
        guard !capabilities.contains(CapabilityName.all) else { return }
        for text in added {
            // An unknown name is not the policy's to report.
            let name = CapabilityName.normalised(text) ?? text
            guard capabilities.contains(name) else {
                throw Self.refusal(
                    .capabilities, "capability \(excerpt(name)) is not allowed", add: name)
            }
        }
    }

    private func checkNetwork(_ network: String) throws(RuntimeError) {
        let name = ["", "default", "bridged"].contains(network) ? "bridge" : network
        guard networks.match(name) else {
            throw Self.refusal(.networks, "network \(excerpt(name)) is not allowed", add: name)
        }
    }

    private func check(_ mappings: [ContainerSpec.PortMapping]) throws(RuntimeError) {
        for mapping in mappings
        where !ports.contains(where: { $0.contains(mapping.external) }) {
            throw Self.refusal(
                .ports, "port \(mapping.external) of the device is not allowed",
                add: "\(mapping.external)")
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
        let shown = name == "0" ? "root" : excerpt(name)
        if let entry = users.deny.first(where: { $0.matches(name) }) {
            throw Self.denial(
                .users, "user \(shown) is denied by '\(entry)'", remove: "\(entry)")
        }
        guard users.allow.contains(where: { $0.matches(name) }) else {
            throw Self.refusal(
                .users, "user \(shown) is not allowed", add: name == "0" ? "root" : name)
        }
        // An image can give any number to a name: a name proves nothing where numbers are denied.
        if !UserPattern.isNumber(name), !users.deny.isEmpty,
            !users.allow.contains(where: { !$0.isAny && $0.matches(name) })
        {
            throw Self.denial(
                .users,
                "user \(shown) may have any number in the image: give the number, or add "
                    + "\"\(shown)\" to users.allow")
        }
    }

    private func check(_ wanted: ContainerSpec.Limits) throws(RuntimeError) {
        if let maximum = limits.memory, wanted.hardMemory <= 0 || wanted.hardMemory > maximum {
            let asked = wanted.hardMemory <= 0 ? "no limit" : "\(wanted.hardMemory)"
            throw Self.refusal(
                .limits,
                "the maximum is \(maximum) bytes of memory, the request has \(asked); "
                    + "limits.memory would have to be higher")
        }
        if let maximum = limits.cpus, !(wanted.cpus > 0 && wanted.cpus <= maximum) {
            let asked = wanted.cpus > 0 ? "\(wanted.cpus)" : "no limit"
            throw Self.refusal(
                .limits,
                "the maximum is \(maximum) CPUs, the request has \(asked); limits.cpus would have "
                    + "to be higher")
        }
    }

    // MARK: Files of the device

    /// Checks a device by its own name and by what that leads to.
    func check(device path: String, on files: some PathResolver) throws(RuntimeError) {
        for place in try Self.places(of: path, .devices, on: files)
        where !devices.match(place.description) {
            throw Self.refusal(
                .devices, "device \(excerpt("\(place)")) is not allowed", add: "\(place)")
        }
    }

    /// Checks a file or folder by its own name and by what that leads to.
    func check(
        bind path: String, _ reserved: ReservedPaths, on files: some PathResolver
    ) throws(RuntimeError) {
        let mounts = files.mountTable()
        for place in try Self.places(of: path, .hostPaths, on: files) {
            let shown = excerpt("\(place)")
            let territory = mounts.territory(of: place)
            // By name, and by what is there: it may be mounted in a second place.
            func touches(_ other: HostPath) -> Bool {
                if place.touches(other) { return true }
                guard !other.isRoot, let location = mounts.location(of: other) else { return false }
                return territory.contains { $0.isWithin(location) || location.isWithin($0) }
            }
            for entry in reserved.entries {
                for own in [entry.path, files.resolve(entry.path)].compactMap({ HostPath($0) })
                where touches(own) {
                    throw Self.denial(
                        .hostPaths, "\(shown) contains or is within \(own), \(entry.purpose)")
                }
            }
            for entry in hostPaths.deny
            where touches(entry) || touches(HostPath(trusting: files.resolve("\(entry)"))) {
                throw Self.denial(
                    .hostPaths, "\(shown) contains or is within \(entry), which is denied",
                    remove: "\(entry)")
            }
            guard hostPaths.allow.contains(where: place.isWithin) else {
                throw Self.refusal(.hostPaths, "\(shown) is not allowed", add: "\(place)")
            }
        }
    }

    /// Finds folders of containers that exist which break the rule of ``FolderSeparation``.
    ///
    /// - Returns: for each, the refusal that the container would get now.
    public static func nestings(
        among folders: [SharedFolder], on files: some PathResolver = FileSystem()
    ) -> [RuntimeError] {
        FolderSeparation(files).violations(among: folders)
    }

    /// Whether a folder is denied by its location, wherever it is mounted.
    ///
    /// - Returns: the denied path that it contains or is within.
    public func deniedPath(
        at location: FileLocation, _ reserved: ReservedPaths, on files: some PathResolver
    ) -> HostPath? {
        let mounts = files.mountTable()
        let paths =
            hostPaths.deny.filter { !$0.isRoot } + reserved.entries.compactMap { HostPath($0.path) }
        return paths.first { path in
            guard let real = HostPath(files.resolve("\(path)")),
                let denied = mounts.location(of: real)
            else { return false }
            return location.isWithin(denied) || denied.isWithin(location)
        }
    }

    /// Everything a path may be taken for: as it is written, and with its links followed before
    /// or after `..` is worked out, since programs differ in that.
    private static func places(
        of path: String, _ rule: Rule, on files: some PathResolver
    ) throws(RuntimeError) -> [HostPath] {
        guard let literal = HostPath(path), let real = HostPath(files.resolve(path)),
            let tidied = HostPath(files.resolve(literal.description))
        else { throw refusal(rule, "'\(excerpt(path))' is not an absolute path") }
        return [literal, real, tidied]
    }

    /// Refuses a path that has symbolic links or `..` in it. Such a path may lead elsewhere the
    /// next time that an engine follows it.
    static func requireReal(_ path: String, on files: some PathResolver) throws(RuntimeError) {
        let real = files.resolve(path)
        let isPlain = !path.utf8.split(separator: UInt8(ascii: "/")).contains {
            $0.elementsEqual("..".utf8)
        }
        guard isPlain, HostPath(path) == HostPath(real) else {
            throw denial(
                .hostPaths,
                "\(excerpt(path)) has symbolic links or '..' in it; use \(excerpt(real))")
        }
    }
}
