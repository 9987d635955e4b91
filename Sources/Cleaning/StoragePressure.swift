import RuntimeAPI

/// How much has to go for the storage not to be full, in bytes.
public struct StoragePressure: Hashable, Sendable {
    /// What is above the low-water mark.
    public var excess: Int64
    /// What the images take that are to go, layers shared with others included.
    public var planned: Int64

    /// Whether removing what may be removed is enough, by what the images are said to take.
    public var isRelieved: Bool { planned >= excess }

    /// - Returns: nil while the high-water mark is not passed, or where nothing is known.
    init?(_ storage: EngineInfo.Storage?, _ rules: CleaningRules) {
        guard let storage, Self.usedPercent(storage) > Double(rules.highWater) else { return nil }
        let used = storage.total - storage.free
        excess = used - Int64(Double(storage.total) / 100 * Double(rules.lowWater))
        planned = 0
    }

    /// How much of the storage is in use, from 0 to 100.
    public static func usedPercent(_ storage: EngineInfo.Storage) -> Double {
        guard storage.total > 0 else { return 0 }
        return Double(storage.total - storage.free) / Double(storage.total) * 100
    }
}
