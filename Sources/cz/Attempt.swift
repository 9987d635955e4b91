import SystemIO

/// What is known of a device before it is touched, and is told the rollout's state meanwhile.
struct Attempt: Sendable {
    let address: SocketAddress
    /// Whether an earlier run was killed while it was at this device, or heard of it no more: it may
    /// be done in part, or altogether.
    var isRepeated = false
    /// The image that the instance had before that run touched it, empty where there was no instance;
    /// nil when that run did not come so far.
    var previous: String?
    /// Notes that for runs to come.
    var note: @Sendable @EventLoop (_ previous: String) throws -> Void = { _ in }
}
