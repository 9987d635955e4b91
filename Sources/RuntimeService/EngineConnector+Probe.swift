import ContainerEngine
import SystemIO

extension EngineConnector {
    /// What an engine that answers has.
    struct Health: Sendable {
        /// Where it keeps images; nil where that cannot be seen.
        var storage: FileSystemSpace?
    }

    /// Asks the engine whether it is there.
    ///
    /// - Parameter patience: how long the answer may take.
    /// - Returns: nil when none came.
    func probe(patience: Duration = .seconds(5)) async -> Health? {
        await withTaskGroup(of: Health?.self) { group in
            group.addTask(executorPreference: EventLoopExecutor.shared) {
                await self.ask()
            }
            group.addTask(executorPreference: EventLoopExecutor.shared) {
                try? await EventLoop.sleep(for: patience)
                return nil
            }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }

    private func ask() async -> Health? {
        try? await use { engine in
            try await engine.ping()
            return Health(storage: FileSystemSpace(holding: engine.storageRoot))
        }
    }
}
