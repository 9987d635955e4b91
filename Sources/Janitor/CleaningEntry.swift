import Cleaning
import RuntimeAPI

/// What was done, or would be, with one thing.
public struct CleaningEntry: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        case container, image, volume
        /// A plugin's, that was deployed.
        case tarball
        /// A file that somebody began to receive.
        case partial
        /// Content in the cache of pulls.
        case blob
    }

    public enum Outcome: Hashable, Sendable {
        case removed
        /// It would have been removed, had this not been a dry run.
        case planned
        /// Somebody else had removed it.
        case gone
        case kept
        /// It came into use since it was looked at.
        case needed(String)
        case failed(String)

        /// One word for scripts.
        public var code: String {
            switch self {
            case .removed: "removed"
            case .planned: "planned"
            case .gone: "gone"
            case .kept: "kept"
            case .needed: "needed"
            case .failed: "failed"
            }
        }

        /// What there is to say besides.
        public var message: String? {
            switch self {
            case .removed, .planned, .gone, .kept: nil
            case .needed(let message), .failed(let message): message
            }
        }
    }

    public var kind: Kind
    public var name: String
    /// The engine's id, or nil for what has none.
    public var id: String?
    /// In bytes; nil where nobody knows.
    public var size: Int64?
    /// One word for scripts: why it goes or stays.
    public var reason: String
    /// The same for people.
    public var explanation: String
    public var outcome: Outcome

    init(_ decision: Decision, _ outcome: Outcome) {
        switch decision.subject {
        case .container(let container):
            (kind, name, id, size) = (.container, container.name, container.id, nil)
        case .image(let image):
            (kind, id, size) = (.image, image.id, image.size)
            name =
                image.names.isEmpty
                ? "<none>" : image.names.map(\.description).sorted().joined(separator: ", ")
        case .volume(let volume):
            (kind, name, id, size) = (.volume, volume.name, nil, nil)
        }
        switch decision.verdict {
        case .remove(let cause): (reason, explanation) = (cause.code, cause.description)
        case .keep(let cause): (reason, explanation) = (cause.code, cause.description)
        }
        self.outcome = outcome
    }

    init(_ kind: Kind, _ file: StoredFile, _ cause: RemovalReason, _ outcome: Outcome) {
        self.kind = kind
        (name, id, size) = (file.path, nil, file.size)
        (reason, explanation) = (cause.code, cause.description)
        self.outcome = outcome
    }
}
