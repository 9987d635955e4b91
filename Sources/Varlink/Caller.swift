import SystemIO

/// Who made the call that is being answered.
public enum Caller {
    /// The process at the other end of the connection, as of its connect(2). It is set in the
    /// handler's task, in the tasks that it begins, and while the server reports the end of a
    /// call.
    @TaskLocal public static var current: PeerCredentials?
}
