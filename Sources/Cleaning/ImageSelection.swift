import RuntimeAPI

/// Which images go.
struct ImageSelection {
    private(set) var pressure: StoragePressure?
    /// Those that stay, and then those that go, in their order.
    private(set) var decisions: [Decision] = []

    private let rules: CleaningRules
    private let now: Int64
    /// How many images there are of each repository, without those to go.
    private var remaining: [String: Int] = [:]
    private var removals: [Decision] = []

    init(
        _ images: [ImageUse], _ storage: EngineInfo.Storage?, _ rules: CleaningRules, now: Int64
    ) {
        self.rules = rules
        self.now = now
        pressure = StoragePressure(storage, rules)
        // What we may not touch does not count as a version either.
        let considered = images.filter { $0.managed || rules.takesForeign }
        for image in considered {
            for repository in Self.repositories(image) { remaining[repository, default: 0] += 1 }
        }
        let versions = Self.lastVersions(of: considered, rules.keep)
        var eligible: [ImageUse] = []
        for image in images.sorted(by: Self.isOlder) {
            if let reason = reasonToStay(image) ?? versions[image.id] {
                decisions.append(.init(.image(image), .keep(reason)))
            } else {
                eligible.append(image)
            }
        }
        takeUntagged(&eligible)
        takeUnused(&eligible)
        takeUnderPressure(&eligible)
        for image in eligible {
            let age = now - image.lastUsed
            let isDue = age >= rules.unusedAfter || pressure != nil
            let reason =
                (isDue ? repositoryEmptied(by: image) : nil).map(KeepReason.lastPushed(of:))
                ?? .usedRecently(age)
            decisions.append(.init(.image(image), .keep(reason)))
        }
        decisions += removals
    }

    private func reasonToStay(_ image: ImageUse) -> KeepReason? {
        if let container = image.container { return .usedBy(container) }
        if let holder = image.held { return .held(holder) }
        guard image.managed || rules.takesForeign else { return .foreign }
        if image.labels[CleaningPlan.keepLabel] == "true" { return .labelled }
        let age = now - image.lastUsed
        return age < rules.minimumAge ? .tooYoung(age) : nil
    }

    // MARK: What goes

    private mutating func takeUntagged(_ images: inout [ImageUse]) {
        for image in images where Self.isUntagged(image) { take(image, .untagged) }
        images.removeAll(where: Self.isUntagged)
    }

    /// What can be fetched again goes first, so that of a repository what cannot be is left.
    private mutating func takeUnused(_ images: inout [ImageUse]) {
        let isDue = { [rules, now] (image: ImageUse) in now - image.lastUsed >= rules.unusedAfter }
        let (fetched, pushed) = (
            images.filter { isDue($0) && $0.fetched }, images.filter { isDue($0) && !$0.fetched }
        )
        var taken: Set<String> = []
        for image in fetched + pushed where repositoryEmptied(by: image) == nil {
            take(image, .unused(now - image.lastUsed))
            taken.insert(image.id)
        }
        images.removeAll { taken.contains($0.id) }
    }

    private mutating func takeUnderPressure(_ images: inout [ImageUse]) {
        guard let pressure, !pressure.isRelieved else { return }
        var taken: Set<String> = []
        for image in images where repositoryEmptied(by: image) == nil {
            take(image, .pressure(now - image.lastUsed))
            taken.insert(image.id)
            if self.pressure?.isRelieved ?? true { break }
        }
        images.removeAll { taken.contains($0.id) }
    }

    private mutating func take(_ image: ImageUse, _ reason: RemovalReason) {
        removals.append(.init(.image(image), .remove(reason)))
        for repository in Self.repositories(image) { remaining[repository, default: 0] -= 1 }
        pressure?.planned += image.size
    }

    /// The repository of which nothing would be left that nobody can fetch again.
    private func repositoryEmptied(by image: ImageUse) -> String? {
        guard !image.fetched, !rules.takesLastPushed else { return nil }
        return Self.repositories(image).sorted().first { remaining[$0, default: 0] <= 1 }
    }

    // MARK: Order

    private static func repositories(_ image: ImageUse) -> Set<String> {
        Set(image.names.map(\.repository))
    }

    /// What the engine knows by the digest it was fetched by is still known by something, but
    /// nobody goes back to it.
    private static func isUntagged(_ image: ImageUse) -> Bool {
        image.names.isEmpty && image.digests.isEmpty
    }

    /// What was used longest ago comes first.
    private static func isOlder(_ one: ImageUse, _ other: ImageUse) -> Bool {
        (one.lastUsed, one.created, one.id) < (other.lastUsed, other.created, other.id)
    }

    /// The images that are among the last versions of a repository: what is in use first, then
    /// what was used last.
    private static func lastVersions(
        of images: [ImageUse], _ keep: Int
    ) -> [String: KeepReason] {
        var reasons: [String: KeepReason] = [:]
        var repositories: [String: [ImageUse]] = [:]
        for image in images {
            for repository in Self.repositories(image) {
                repositories[repository, default: []].append(image)
            }
        }
        for (repository, images) in repositories.sorted(by: { $0.key < $1.key }) {
            let (used, unused) = (
                images.filter { $0.container != nil || $0.held != nil },
                images.filter { $0.container == nil && $0.held == nil }
            )
            let ordered =
                used.sorted { isOlder($1, $0) } + unused.sorted { isOlder($1, $0) }
            for image in ordered.prefix(keep) where reasons[image.id] == nil {
                reasons[image.id] = .version(keep: keep, of: repository)
            }
        }
        return reasons
    }
}
