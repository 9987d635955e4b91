import RuntimeAPI

/// What becomes of one thing, and why.
public struct Decision: Hashable, Sendable {
    public enum Subject: Hashable, Sendable {
        case container(ContainerUse)
        case image(ImageUse)
        case volume(VolumeUse)
    }

    public enum Verdict: Hashable, Sendable {
        case remove(RemovalReason)
        case keep(KeepReason)
    }

    public var subject: Subject
    public var verdict: Verdict

    public init(_ subject: Subject, _ verdict: Verdict) {
        self.subject = subject
        self.verdict = verdict
    }

    public var removes: Bool {
        switch verdict {
        case .remove: true
        case .keep: false
        }
    }
}

/// Why something goes. Times are in seconds.
public enum RemovalReason: Hashable, Sendable, CustomStringConvertible {
    case stopped(Int64)
    case neverStarted(Int64)
    case untagged
    case unused(Int64)
    /// Before its time, because the storage is nearly full.
    case pressure(Int64)
    case anonymousVolume
    /// A plugin's tarball that no plugin was made from.
    case staleTarball(Int64)
    /// Nobody goes on writing it.
    case aborted(Int64)
    /// The longest unused of a cache that is too large.
    case cacheLimit(Int64)
    /// A folder that could not be looked into, so that nothing in it goes.
    case unreadable

    /// One word for scripts.
    public var code: String {
        switch self {
        case .stopped: "stopped"
        case .neverStarted: "never-started"
        case .untagged: "untagged"
        case .unused: "unused"
        case .pressure: "pressure"
        case .anonymousVolume: "anonymous"
        case .staleTarball: "stale-tarball"
        case .aborted: "aborted"
        case .cacheLimit: "cache-limit"
        case .unreadable: "unreadable"
        }
    }

    public var description: String {
        switch self {
        case .stopped(let time): "stopped \(Age.text(time)) ago"
        case .neverStarted(let time): "created \(Age.text(time)) ago and never started"
        case .untagged: "has no name any more"
        case .unused(let time): "unused for \(Age.text(time))"
        case .pressure(let time): "storage is nearly full, and it is unused for \(Age.text(time))"
        case .anonymousVolume: "no container mounts it, and nobody named it"
        case .staleTarball(let time): "no plugin is made from it since \(Age.text(time))"
        case .aborted(let time): "broken off \(Age.text(time)) ago"
        case .unreadable: "the folder cannot be looked into"
        case .cacheLimit(let time): "the cache is too large, and it is unused for \(Age.text(time))"
        }
    }
}

/// Why something stays. Times are in seconds.
public enum KeepReason: Hashable, Sendable, CustomStringConvertible {
    case running
    /// An update, a start or the engine is at it.
    case held(String)
    case foreign
    case labelled
    case restarts
    case stoppedRecently(Int64)
    case usedBy(String)
    case usedRecently(Int64)
    case tooYoung(Int64)
    case version(keep: Int, of: String)
    case lastPushed(of: String)
    case volumesNotWanted
    case named

    /// One word for scripts.
    public var code: String {
        switch self {
        case .running: "running"
        case .held: "held"
        case .foreign: "foreign"
        case .labelled: "labelled"
        case .restarts: "restarts"
        case .stoppedRecently: "stopped-recently"
        case .usedBy: "in-use"
        case .usedRecently: "used-recently"
        case .tooYoung: "too-young"
        case .version: "version"
        case .lastPushed: "last-pushed"
        case .volumesNotWanted: "volumes-not-wanted"
        case .named: "named"
        }
    }

    public var description: String {
        switch self {
        case .running: "is running"
        case .held(let reason): reason
        case .foreign: "was not deployed through containerz"
        case .labelled: "its labels say so"
        case .restarts: "its restart policy may start it again"
        case .stoppedRecently(let time): "stopped only \(Age.text(time)) ago"
        case .usedBy(let container): "container \(container) uses it"
        case .usedRecently(let time): "used only \(Age.text(time)) ago"
        case .tooYoung(let time): "came or was used only \(Age.text(time)) ago"
        case .version(let keep, let repository):
            keep == 1
                ? "is the last version of \(repository)"
                : "is one of the last \(keep) versions of \(repository)"
        case .lastPushed(let repository):
            "was pushed, and no other version of \(repository) would be left"
        case .volumesNotWanted: "volumes stay without --volumes"
        case .named: "somebody named it"
        }
    }
}
