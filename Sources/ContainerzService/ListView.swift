import RuntimeAPI

/// What a caller sees of containers and volumes in a listing. Labels of those that were not made
/// through this API, and options of volumes, may hold secrets: only callers who could give such
/// themselves see them.
struct ListView {
    private let showsAll: Bool
    private let hasLabelFilter: Bool

    /// - Parameters:
    ///   - showsAll: whether the caller may call the method that makes what is listed.
    ///   - filters: of the listing.
    init(_ showsAll: Bool, _ filters: Runtime.Filters) {
        self.showsAll = showsAll
        hasLabelFilter = filters["label"] != nil
    }

    /// The limit to ask the runtime for, which knows nothing of the caller: 0 when some of what it
    /// lists may have to be left out.
    func limit(_ wanted: Int32) -> Int { showsAll || !hasLabelFilter ? Int(max(wanted, 0)) : 0 }

    /// - Returns: nil for one that a filter found by labels that the caller does not see.
    func shown(_ container: Container) -> Container? {
        if showsAll || container.managed == true { return container }
        if hasLabelFilter { return nil }
        var container = container
        container.labels = [:]
        return container
    }

    /// Likewise.
    func shown(_ volume: Volume) -> Volume? {
        if showsAll { return volume }
        if hasLabelFilter, volume.managed != true { return nil }
        var volume = volume
        volume.options = [:]
        if volume.managed != true { volume.labels = [:] }
        return volume
    }
}
