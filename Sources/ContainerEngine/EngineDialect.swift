import OCI
import RuntimeAPI

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

    /// Whether annotations of an image become those of its containers.
    var handsAnnotationsOn: Bool { self == .podman }

    /// The path of Podman's own API.
    static let libpod = "/v4.0.0/libpod"

    /// Whether the engine follows links in a volume when it copies the content of an image into it.
    var copiesIntoVolumesThroughLinks: Bool { self == .docker }

    /// The parts of a create request that give a container exactly these capabilities.
    ///
    /// - Parameters:
    ///   - wanted: without `CAP_`, or `["ALL"]`.
    ///   - added: those of the request, in any spelling.
    func capabilities(
        _ wanted: Set<String>, added: [String]
    ) -> (add: [String]?, drop: [String]?) {
        func named(_ names: Set<String>) -> [String]? {
            names.isEmpty ? nil : names.sorted().map { "CAP_\($0)" }
        }
        guard !wanted.contains(CapabilityName.all) else { return ([CapabilityName.all], nil) }
        switch self {
        case .docker: return (named(wanted), [CapabilityName.all])
        case .podman:
            // A user other than root gets what is added here as ambient capabilities, so that
            // only what was asked for may be added. What every container has by default is kept
            // by not dropping it.
            let asked = Set(added.compactMap(CapabilityName.normalised))
            let add = wanted.intersection(asked.union(wanted.subtracting(Self.ordinary)))
            return (named(add), named(Self.droppable.subtracting(wanted)))
        }
    }

    /// What both engines give to a container by default.
    private static let ordinary: Set<String> = [
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    ]

    /// What can be dropped by name: engines that do not know a name refuse it, and these are
    /// newer than some engines are.
    private static let droppable = CapabilityName.known.subtracting([
        CapabilityName.all, "BPF", "CHECKPOINT_RESTORE", "PERFMON",
    ])

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
