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
        await EventLoop.result(within: patience) { [self] in await ask() } ?? nil
    }

    private func ask() async -> Health? {
        try? await use { engine in
            try await engine.ping()
            return Health(storage: FileSystemSpace(holding: engine.storageRoot))
        }
    }
}
