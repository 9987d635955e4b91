import OCI

/// Where Docker and Podman, which speak one API, differ.
public enum EngineDialect: String, CaseIterable, Sendable {
    case docker
    case podman

    /// Its name in a sentence.
    var title: String {
        switch self {
        case .docker: "Docker"
        case .podman: "Podman"
        }
    }

    /// What the engine calls a repository that a client gave a short name.
    func engineRepository(_ repository: String) -> String {
        switch self {
        case .docker: return repository
        case .podman:
            return ImageReference.registry(of: repository) == nil
                ? "localhost/\(repository)" : repository
        }
    }

    /// Of several names that mean one to clients, the one the engine takes it for comes first.
    func prefers(_ name: String, over other: String) -> Bool {
        self == .podman && name.hasPrefix("localhost/") && !other.hasPrefix("localhost/")
    }

    var hasPlugins: Bool { self == .docker }

    /// Whether removing an image by force takes the containers made of it along.
    var forcedImageRemovalTakesContainers: Bool { self == .podman }

    /// Likewise of a volume.
    var forcedVolumeRemovalTakesContainers: Bool { self == .podman }

    /// Whether a container's restart policy can be changed after it was created.
    var canChangeRestartPolicy: Bool { self == .docker }

    /// Whether only images that the engine fetched itself have digests of manifests; Podman gives
    /// some to all.
    var digestsTellOfFetching: Bool { self == .docker }

    /// Whether a log's frames can carry times exact enough to go on from; Podman's have whole
    /// seconds, and end lines that the container did not.
    var hasExactLogTimes: Bool { self == .docker }

    /// Whether a container that will be restarted looks ended in between.
    var restartsLookEnded: Bool { self == .podman }

    /// The API's version to use, from the range the engine serves: 1.41 where it can, since
    /// that is what this adapter was written against.
    static func apiVersion(from oldest: String?, to newest: String) -> String {
        let wanted = "1.41"
        if isVersion(newest, before: wanted) { return newest }
        if let oldest, isVersion(wanted, before: oldest) { return oldest }
        return wanted
    }

    private static func isVersion(_ one: String, before other: String) -> Bool {
        let numbers = [one, other].map { $0.split(separator: ".").map { Int($0) ?? 0 } }
        return numbers[0].lexicographicallyPrecedes(numbers[1])
    }
}
