import DevicePolicy
import RuntimeAPI

/// The filters of a request, compiled once for all that is listed.
///
/// They are ours rather than the engines', whose differ in keys and in meaning. Of several values
/// of a key one must match, of labels all; all keys must match.
struct Filters: Sendable {
    private enum Condition: Sendable {
        /// One of the patterns.
        case patterns([Glob])
        /// The beginning of an id.
        case ids([String])
        /// All of the labels; nil for any value.
        case labels([(key: String, value: String?)])
        case texts(Set<String>)
        case flags(Set<Bool>)
    }

    private let conditions: [(key: String, condition: Condition)]

    static let containerKeys: Set = ["name", "id", "label", "status", "image"]
    static let volumeKeys: Set = ["name", "driver", "label"]
    static let imageKeys: Set = ["reference", "label", "dangling", "id"]

    /// - Parameter allowed: the keys of what is listed.
    /// - Throws: `RuntimeError.invalidArgument`.
    init(_ filters: Runtime.Filters, allowed: Set<String>) throws(RuntimeError) {
        var conditions: [(key: String, condition: Condition)] = []
        for (key, values) in filters {
            guard allowed.contains(key) else {
                throw .invalidArgument(
                    field: "filter",
                    reason: "'\(key)' is not one of \(allowed.sorted().joined(separator: ", "))")
            }
            // The same value again changes nothing.
            let distinct = Set(values)
            conditions.append((key, try Self.condition(key, distinct)))
        }
        self.conditions = conditions
    }

    private static func condition(
        _ key: String, _ values: Set<String>
    ) throws(RuntimeError) -> Condition {
        switch key {
        case "label":
            return .labels(
                values.map { value in
                    let parts = value.split(
                        separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    return (String(parts[0]), parts.count == 1 ? nil : String(parts[1]))
                })
        case "status":
            for value in values where Container.State(rawValue: value) == nil {
                let known = Container.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalidArgument(
                    field: "filter", reason: "status '\(value)' is not one of \(known)")
            }
            return .texts(values)
        case "dangling":
            var flags: Set<Bool> = []
            for value in values {
                guard let flag = Bool(value) else {
                    throw .invalidArgument(
                        field: "filter", reason: "dangling '\(value)' is neither true nor false")
                }
                flags.insert(flag)
            }
            return .flags(flags)
        case "id": return .ids(values.filter { !$0.isEmpty })
        case "name": return .patterns(values.map { Glob(InstanceName.withoutSlash($0)) })
        default: return .patterns(values.map { Glob($0) })
        }
    }

    func matches(_ container: Container) -> Bool {
        conditions.allSatisfy { key, condition in
            switch condition {
            case .patterns(let patterns):
                if key == "name" { return patterns.match(container.name) }
                return container.image.map { Self.matches(patterns, $0) } ?? false
                    || patterns.contains { Self.matches(id: $0.pattern, container.imageID) }
            case .ids(let ids): return ids.contains { container.id.hasPrefix($0) }
            case .labels(let labels): return Self.has(labels, in: container.labels)
            case .texts(let texts): return texts.contains(container.state.rawValue)
            case .flags: return false
            }
        }
    }

    func matches(_ image: Image, labels: [String: String]) -> Bool {
        conditions.allSatisfy { _, condition in
            switch condition {
            case .patterns(let patterns):
                image.names.contains { Self.matches(patterns, $0) }
            case .ids(let ids): ids.contains { Self.matches(id: $0, image.id) }
            case .labels(let wanted): Self.has(wanted, in: labels)
            case .flags(let flags): flags.contains(image.names.isEmpty)
            case .texts: false
            }
        }
    }

    func matches(_ volume: Volume) -> Bool {
        conditions.allSatisfy { key, condition in
            switch condition {
            case .patterns(let patterns):
                patterns.match(key == "name" ? volume.name : volume.driver)
            case .labels(let labels): Self.has(labels, in: volume.labels)
            case .ids, .texts, .flags: false
            }
        }
    }

    /// `NAME` or `NAME:TAG`, with `*` for any run of characters.
    private static func matches(_ patterns: [Glob], _ name: ImageName) -> Bool {
        patterns.match(name.description) || patterns.match(name.repository)
    }

    private static func matches(id: String, _ digest: String) -> Bool {
        !id.isEmpty && (digest.hasPrefix(id) || digest.hasPrefix("sha256:\(id)"))
    }

    private static func has(
        _ wanted: [(key: String, value: String?)], in labels: [String: String]
    ) -> Bool {
        wanted.allSatisfy { key, value in
            guard let present = labels[key] else { return false }
            return value.map { $0 == present } ?? true
        }
    }
}
