extension EventLoop {
    /// What `body` comes to, if that does not take too long.
    ///
    /// - Parameters:
    ///   - patience: how long it may take; then it is cancelled, upon which it has to end.
    /// - Returns: nil when it took longer, or whoever asks was cancelled.
    @EventLoop
    public static func result<Success: Sendable>(
        within patience: Duration, of body: @escaping @Sendable @EventLoop () async -> Success
    ) async -> Success? {
        await withTaskGroup(of: Success?.self) { group in
            group.addTask(executorPreference: EventLoopExecutor.shared) { await body() }
            group.addTask(executorPreference: EventLoopExecutor.shared) {
                try? await EventLoop.sleep(for: patience)
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }
}
