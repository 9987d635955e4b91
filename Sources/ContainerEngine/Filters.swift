import DevicePolicy
import RuntimeAPI

/// Filters are ours rather than the engines', whose differ in keys and in meaning. Of several
/// values of a key one must match, of labels all; all keys must match.
enum Filters {
    static func check(_ filters: Runtime.Filters, allowed: Set<String>) throws(RuntimeError) {
        for (key, values) in filters {
            guard allowed.contains(key) else {
                throw .invalidArgument(
                    field: "filter",
                    reason: "'\(key)' is not one of \(allowed.sorted().joined(separator: ", "))")
            }
            if key == "status" {
                for value in values where Container.State(rawValue: value) == nil {
                    let known = Container.State.allCases.map(\.rawValue).joined(separator: ", ")
                    throw .invalidArgument(
                        field: "filter", reason: "status '\(value)' is not one of \(known)")
                }
            }
            if key == "dangling" {
                for value in values where Bool(value) == nil {
                    throw .invalidArgument(
                        field: "filter", reason: "dangling '\(value)' is neither true nor false")
                }
            }
        }
    }

    static let containerKeys: Set = ["name", "id", "label", "status", "image"]
    static let volumeKeys: Set = ["name", "driver", "label"]
    static let imageKeys: Set = ["reference", "label", "dangling", "id"]

    static func matches(_ filters: Runtime.Filters, _ container: Container) -> Bool {
        filters.allSatisfy { key, values in
            switch key {
            case "name":
                values.contains { matches(pattern: InstanceName.withoutSlash($0), container.name) }
            case "id": values.contains { !$0.isEmpty && container.id.hasPrefix($0) }
            case "label": values.allSatisfy { hasLabel($0, container.labels) }
            case "status": values.contains(container.state.rawValue)
            case "image":
                values.contains { value in
                    container.image.map { matches(reference: value, $0) } ?? false
                        || matches(id: value, container.imageID)
                }
            default: false
            }
        }
    }

    static func matches(
        _ filters: Runtime.Filters, _ image: Image, labels: [String: String]
    ) -> Bool {
        filters.allSatisfy { key, values in
            switch key {
            case "reference":
                values.contains { value in
                    image.names.contains { matches(reference: value, $0) }
                }
            case "label": values.allSatisfy { hasLabel($0, labels) }
            case "dangling": values.contains { Bool($0) == image.names.isEmpty }
            case "id": values.contains { matches(id: $0, image.id) }
            default: false
            }
        }
    }

    static func matches(_ filters: Runtime.Filters, _ volume: Volume) -> Bool {
        filters.allSatisfy { key, values in
            switch key {
            case "name": values.contains { matches(pattern: $0, volume.name) }
            case "driver": values.contains { matches(pattern: $0, volume.driver) }
            case "label": values.allSatisfy { hasLabel($0, volume.labels) }
            default: false
            }
        }
    }

    /// `NAME` or `NAME:TAG`, with `*` for any run of characters.
    static func matches(reference pattern: String, _ name: ImageName) -> Bool {
        matches(pattern: pattern, name.description) || matches(pattern: pattern, name.repository)
    }

    /// `*` stands for any run of characters.
    static func matches(pattern: String, _ text: String) -> Bool { Glob(pattern).matches(text) }

    private static func matches(id: String, _ digest: String) -> Bool {
        !id.isEmpty && (digest.hasPrefix(id) || digest.hasPrefix("sha256:\(id)"))
    }

    private static func hasLabel(_ wanted: String, _ labels: [String: String]) -> Bool {
        let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let value = labels[String(parts[0])] else { return false }
        return parts.count == 1 || value == parts[1]
    }
}
