import ContainerEngine
import SystemIO

/// Removes what an engine creates for updates that were undone long before it came to that, while
/// their instances are somebody else's again.
@EventLoop
final class LateReplacements {
    private let engines: any EngineProvider
    private let journal: UpdateJournal
    /// By the container that was to be replaced.
    private var sweeps: [String: Task<Void, Never>] = [:]

    init(_ engines: any EngineProvider, _ journal: UpdateJournal) {
        self.engines = engines
        self.journal = journal
    }

    /// Looks for replacements of a container for so long, and removes them.
    ///
    /// - Parameter afterwards: called when that time is over.
    func sweep(
        _ oldID: String, for time: Duration,
        _ afterwards: @escaping @Sendable @EventLoop () async -> Void
    ) {
        guard sweeps[oldID] == nil else { return }
        sweeps[oldID] = EventLoop.task { [self] in
            await engines.keepLooking(for: time) { [journal] engine in
                try await UpdateTransaction(engine: engine, journal: journal)
                    .discardReplacements(of: oldID)
            }
            // A task that was cancelled is not the one that is kept there.
            guard !Task.isCancelled else { return }
            sweeps[oldID] = nil
            await afterwards()
        }
    }

    /// Leaves replacements of a container alone: it is to be updated again, which begins with
    /// removing what others left.
    func leave(_ oldID: String) async {
        guard let sweep = sweeps.removeValue(forKey: oldID) else { return }
        sweep.cancel()
        await sweep.value
    }
}
