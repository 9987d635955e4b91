extension ContainerSpec {
    /// These settings, and where they say nothing the old ones.
    ///
    /// - Throws: `RuntimeError.invalidArgument` for another location.
    public func over(_ old: ContainerSpec) throws(RuntimeError) -> ContainerSpec {
        guard location == .primary || location == old.location else {
            throw .invalidArgument(field: "location", reason: "an update cannot change it")
        }
        func kept<Value>(
            _ field: KeyPath<ContainerSpec, Value>, unless isEmpty: (Value) -> Bool
        ) -> Value {
            isEmpty(self[keyPath: field]) ? old[keyPath: field] : self[keyPath: field]
        }
        var merged = old
        merged.command = kept(\.command, unless: \.isEmpty)
        merged.ports = kept(\.ports, unless: \.isEmpty)
        merged.environment = kept(\.environment, unless: \.isEmpty)
        merged.volumes = kept(\.volumes, unless: \.isEmpty)
        merged.network = kept(\.network, unless: \.isEmpty)
        merged.capabilities = kept(\.capabilities) { $0 == Capabilities() }
        merged.restart = kept(\.restart) { $0 == RestartPolicy() }
        merged.labels = kept(\.labels, unless: \.isEmpty)
        merged.limits = kept(\.limits) { $0 == Limits() }
        merged.devices = kept(\.devices, unless: \.isEmpty)
        // A user and a group belong together.
        if !user.isEmpty || !group.isEmpty {
            merged.user = user
            merged.group = group
        }
        return merged
    }
}
