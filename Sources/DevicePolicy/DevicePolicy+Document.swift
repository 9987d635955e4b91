import JSON

extension DevicePolicy {
    /// As the file has it, with nothing left out.
    public var document: JSONValue {
        func list(_ entries: [some CustomStringConvertible]) -> JSONValue {
            .array(entries.map { .string($0.description) })
        }
        func rules(_ rules: Rules<some CustomStringConvertible>) -> JSONValue {
            .object(["allow": list(rules.allow), "deny": list(rules.deny)])
        }
        var most: [String: JSONValue] = [:]
        if let memory = limits.memory { most["memory"] = .int(memory) }
        if let cpus = limits.cpus { most["cpus"] = .double(cpus) }
        return .object([
            "images": rules(images),
            "hostPaths": rules(hostPaths),
            "devices": list(devices),
            "defaultCapabilities": list(defaultCapabilities.sorted()),
            "capabilities": list(capabilities.sorted()),
            "newPrivileges": .object(["allow": .bool(allowsNewPrivileges)]),
            "networks": list(networks),
            "ports": .array(ports.map { .string(Self.text($0)) }),
            "users": rules(users),
            "limits": .object(most),
            "mountTypes": list(mountTypes),
            "mountOptions": list(mountOptions.sorted()),
            "volumeDrivers": list(volumeDrivers),
            "plugins": .object(["allow": .bool(allowsPlugins)]),
            "signatures": .array(
                signatures.map {
                    .object([
                        "images": list($0.images), "keys": .array($0.keys.map { .string($0) }),
                    ])
                }),
            "foreign": .bool(allowsForeign),
        ])
    }

    private static func text(_ range: ClosedRange<UInt16>) -> String {
        range.count == 1
            ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}
