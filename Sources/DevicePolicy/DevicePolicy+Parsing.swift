import JSON
import OCI
import RuntimeAPI

extension DevicePolicy {
    typealias Failure = JSONObjectReader.Failure

    static func parse(_ text: [UInt8]) throws(Failure) -> DevicePolicy {
        var policy = DevicePolicy.default
        var top = try JSONObjectReader(parsing: text)
        _ = try top.string("comment")
        if let rules = try top.object("images") {
            policy.images = try parse(rules, policy.images, imagePattern)
        }
        if let rules = try top.object("hostPaths") {
            policy.hostPaths = try parse(rules, policy.hostPaths, hostPath)
        }
        if let globs = try globs("devices", &top, absolute: true) { policy.devices = globs }
        if let names = try capabilities("defaultCapabilities", &top) {
            policy.defaultCapabilities = names
        }
        if let names = try capabilities("capabilities", &top) { policy.capabilities = names }
        if let allow = try switchedSection("newPrivileges", &top) {
            policy.allowsNewPrivileges = allow
        }
        if let globs = try globs("networks", &top) { policy.networks = globs }
        if let ranges = try top.strings("ports") {
            var ports: [ClosedRange<UInt16>] = []
            for (index, text) in ranges.enumerated() {
                guard let range = portRange(text) else {
                    throw top.failure("ports[\(index)]", "is no port and no range of ports")
                }
                ports.append(range)
            }
            policy.ports = ports
        }
        if let rules = try top.object("users") {
            policy.users = try parse(rules, policy.users) { text in
                text.isEmpty || text.contains(where: \.isWhitespace) ? nil : UserPattern(text)
            }
        }
        if let limits = try top.object("limits") { policy.limits = try parse(limits) }
        if let globs = try globs("mountTypes", &top) { policy.mountTypes = globs }
        if let names = try entries("mountOptions", &top, mountOption) {
            policy.mountOptions = Set(names)
        }
        if let globs = try globs("volumeDrivers", &top) { policy.volumeDrivers = globs }
        if let allow = try switchedSection("plugins", &top) { policy.allowsPlugins = allow }
        if let rules = try top.objects("signatures") {
            policy.signatures = []
            for rule in rules { policy.signatures.append(try parse(signatures: rule)) }
        }
        policy.allowsForeign = try top.bool("foreign") ?? policy.allowsForeign
        try top.finish()
        return policy
    }

    private static func parse<Entry>(
        _ object: JSONObjectReader, _ usual: Rules<Entry>, _ parse: (String) -> Entry?
    ) throws(Failure) -> Rules<Entry> {
        var object = object
        _ = try object.string("comment")
        var rules = usual
        if let allow = try entries("allow", &object, parse) { rules.allow = allow }
        if let deny = try entries("deny", &object, parse) { rules.deny = deny }
        try object.finish()
        return rules
    }

    private static func entries<Entry>(
        _ key: String, _ object: inout JSONObjectReader, _ parse: (String) -> Entry?
    ) throws(Failure) -> [Entry]? {
        guard let texts = try object.strings(key) else { return nil }
        var entries: [Entry] = []
        for (index, text) in texts.enumerated() {
            guard let entry = parse(text) else {
                throw object.failure("\(key)[\(index)]", "could never match: '\(text)'")
            }
            entries.append(entry)
        }
        return entries
    }

    private static func globs(
        _ key: String, _ object: inout JSONObjectReader, absolute: Bool = false
    ) throws(Failure) -> [Glob]? {
        try entries(key, &object) { text in
            let fits = absolute ? text == "*" || HostPath(text)?.description == text : !text.isEmpty
            return fits ? Glob(text) : nil
        }
    }

    private static func capabilities(
        _ key: String, _ object: inout JSONObjectReader
    ) throws(Failure) -> Set<String>? {
        guard let texts = try object.strings(key) else { return nil }
        var names: Set<String> = []
        for (index, text) in texts.enumerated() {
            guard let name = CapabilityName.normalised(text) else {
                throw object.failure("\(key)[\(index)]", "is no capability: '\(text)'")
            }
            names.insert(name)
        }
        return names
    }

    /// The key `allow` of a section that has no other.
    private static func switchedSection(
        _ key: String, _ object: inout JSONObjectReader
    ) throws(Failure) -> Bool? {
        guard var section = try object.object(key) else { return nil }
        _ = try section.string("comment")
        let allow = try section.bool("allow")
        try section.finish()
        return allow
    }

    /// The name alone: an option is allowed with every value.
    private static func mountOption(_ text: String) -> String? {
        text.isEmpty || text.contains { ",= \"".contains($0) } ? nil : text
    }

    private static func imagePattern(_ text: String) -> ImagePattern? { ImagePattern(text) }

    /// `..` in a policy is more likely an accident than wanted.
    private static func hostPath(_ text: String) -> HostPath? {
        text.utf8.split(separator: UInt8(ascii: "/")).contains { $0.elementsEqual("..".utf8) }
            ? nil : HostPath(text)
    }

    private static func portRange(_ text: String) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first > 0,
            first <= last
        else { return nil }
        return first...last
    }

    private static func parse(_ object: JSONObjectReader) throws(Failure) -> Limits {
        var object = object
        _ = try object.string("comment")
        let limits = Limits(
            memory: try object.integer("memory"), cpus: try object.number("cpus"))
        if let memory = limits.memory, memory <= 0 {
            throw object.failure("memory", "is not a number of bytes above 0")
        }
        if let cpus = limits.cpus, !(cpus > 0) || !cpus.isFinite {
            throw object.failure("cpus", "is not a number above 0")
        }
        try object.finish()
        return limits
    }

    private static func parse(
        signatures object: JSONObjectReader
    ) throws(Failure) -> SignatureRule {
        var object = object
        _ = try object.string("comment")
        guard let images = try entries("images", &object, imagePattern), !images.isEmpty else {
            throw object.failure("images", "has to say which images need a signature")
        }
        guard let keys = try object.strings("keys"), !keys.isEmpty else {
            throw object.failure("keys", "has to name the files of the keys")
        }
        for (index, key) in keys.enumerated() where !key.hasPrefix("/") {
            throw object.failure("keys[\(index)]", "is not an absolute path")
        }
        try object.finish()
        return SignatureRule(images: images, keys: keys)
    }
}
