import GRPCCore

extension Task where Failure == any Error {
    /// The task's value; it is cancelled with the RPC that is being served. gRPC tells of a client
    /// that went away or a deadline that passed, but cancels no task by itself.
    ///
    /// - Throws: what the task does.
    public nonisolated var valueWithinRPC: Success {
        get async throws {
            try await withTaskCancellationHandler {
                try await withRPCCancellationHandler {
                    try await value
                } onCancelRPC: {
                    cancel()
                }
            } onCancel: {
                cancel()
            }
        }
    }
}
