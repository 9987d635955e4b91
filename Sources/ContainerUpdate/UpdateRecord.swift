import RuntimeAPI

/// How far an update has come, as it is kept on disk: enough to bring the instance to the old or
/// the new container after whatever happened.
struct UpdateRecord: Codable, Hashable, Sendable {
    enum State: String, Codable, Sendable {
        /// Until it is committed, everything is undone.
        case underway
        /// The new container has proved itself, and the old one only has to go.
        case committed
        case done
        case failed
    }

    var instance: String
    var oldID: String
    /// Whether the old container ran.
    var wasUp: Bool
    /// The old container's, which is off while it is set aside.
    var restart: ContainerSpec.RestartPolicy
    var newID: String?
    var state = State.underway
    /// Why it failed.
    var error: String?
    /// Until when the old container is looked after, in seconds since 1970: what the engine was
    /// asked to do before the update broke off may still happen to it.
    var watchedUntil: Double?
    /// Whether the old container is somebody else's until then, and only what the engine may still
    /// create for the update is looked for.
    var isHandedOver: Bool?
    /// Whether the instance has been removed since, so that the record may go after that time.
    var isGone: Bool?

    /// Whether there is anything left to do.
    var isUnfinished: Bool { state == .underway || state == .committed }

    /// The container it is about, once it has ended.
    var resultID: String? { state == .done ? newID : state == .failed ? oldID : nil }
}
