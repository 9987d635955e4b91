import RuntimeAPI

/// What a run came to.
public struct CleaningSummary: Hashable, Sendable {
    public var isDryRun: Bool
    /// How many of each kind were removed, or would be.
    public private(set) var removed: [CleaningEntry.Kind: Int] = [:]
    /// Bytes that what was removed took, layers that images share counted for each.
    public private(set) var reclaimed: Int64 = 0
    public private(set) var kept = 0
    /// What came into use meanwhile.
    public private(set) var needed = 0
    public private(set) var failed = 0
    /// Whether the storage is below its low-water mark, or would be; nil where that was not
    /// wanted.
    public var reachedLowWater: Bool?
    /// The storage at the end.
    public var storage: EngineInfo.Storage?
    /// Why cz-runtime could not be asked; nil where it could.
    public var runtimeFailure: RuntimeFailure?

    /// Why cz-runtime could not be asked.
    public struct RuntimeFailure: Hashable, Sendable {
        public var message: String
        /// Whether it, or its engine, is not there.
        public var isUnavailable: Bool
    }

    init(isDryRun: Bool) { self.isDryRun = isDryRun }

    /// How many things were removed, or would be.
    public var count: Int { removed.values.reduce(0, +) }

    public var isSuccess: Bool {
        failed == 0 && runtimeFailure == nil && reachedLowWater ?? true
    }

    mutating func add(_ entry: CleaningEntry) {
        switch entry.outcome {
        case .removed, .planned:
            removed[entry.kind, default: 0] += 1
            reclaimed += entry.size ?? 0
        case .gone: break
        case .kept: kept += 1
        case .needed: needed += 1
        case .failed: failed += 1
        }
    }
}
