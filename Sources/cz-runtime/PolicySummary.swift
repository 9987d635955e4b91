import DevicePolicy

/// What a policy allows, for people.
struct PolicySummary: CustomStringConvertible {
    private let policy: DevicePolicy

    init(_ policy: DevicePolicy) { self.policy = policy }

    var description: String {
        let lines: [(String, String)] = [
            ("images", Self.rules(policy.images)),
            ("host paths", Self.rules(policy.hostPaths)),
            ("devices", Self.list(policy.devices)),
            ("capabilities", Self.list(policy.defaultCapabilities.sorted())),
            ("may add", Self.list(policy.capabilities.sorted())),
            ("new privileges", policy.allowsNewPrivileges ? "allowed" : "not allowed"),
            ("networks", Self.list(policy.networks)),
            (
                "ports",
                Self.list(
                    policy.ports.map {
                        $0.count == 1
                            ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
                    })
            ),
            ("users", Self.rules(policy.users)),
            ("memory", policy.limits.memory.map { "up to \($0) bytes" } ?? "no limit"),
            ("cpus", policy.limits.cpus.map { "up to \($0)" } ?? "no limit"),
            ("mount types", Self.list(policy.mountTypes)),
            ("mount options", Self.mountOptions(policy.mountOptions)),
            ("volume drivers", Self.list(policy.volumeDrivers)),
            ("plugins", policy.allowsPlugins ? "allowed" : "not allowed"),
            (
                "signatures",
                policy.signatures.isEmpty
                    ? "none needed"
                    : policy.signatures.map {
                        "\(Self.list($0.images)) by \(Self.list($0.keys))"
                    }.joined(separator: "; ")
            ),
            ("foreign objects", policy.allowsForeign ? "may be changed" : "are left alone"),
        ]
        return lines.map { name, text in
            let padding = String(repeating: " ", count: max(0, 18 - name.count))
            return "\(name)\(padding)\(text)\n"
        }.joined()
    }

    private static func mountOptions(_ names: Set<String>) -> String {
        names.isEmpty ? "the harmless ones" : "the harmless ones and \(list(names.sorted()))"
    }

    private static func rules(_ rules: DevicePolicy.Rules<some CustomStringConvertible>) -> String {
        rules.deny.isEmpty
            ? list(rules.allow) : "\(list(rules.allow)) but not \(list(rules.deny))"
    }

    private static func list(_ entries: [some CustomStringConvertible]) -> String {
        entries.isEmpty ? "none" : entries.map(\.description).joined(separator: " ")
    }
}
