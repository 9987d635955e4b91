import Cleaning
import FoundationEssentials
import RuntimeAPI
import SystemIO
import Varlink

/// Cleans up once: asks cz-runtime what there is, decides, and has removed what has to go.
@EventLoop
public final class Janitor {
    /// What it cleans besides what cz-runtime has.
    public struct Stores: Hashable, Sendable {
        /// Where containerzd keeps plugins' tarballs; nil to leave them alone.
        public var plugins: String?
        /// Where cz-pull keeps what it fetched; nil to leave it alone.
        public var cache: String?
        /// How many bytes the cache may hold.
        public var cacheLimit: Int64

        public init(plugins: String? = nil, cache: String? = nil, cacheLimit: Int64 = 1 << 30) {
            self.plugins = plugins
            self.cache = cache
            self.cacheLimit = cacheLimit
        }
    }

    private let runtime: RuntimeClient
    private let rules: CleaningRules
    private let stores: Stores
    private var isStopping = false

    public nonisolated init(_ runtime: RuntimeClient, _ rules: CleaningRules, _ stores: Stores) {
        self.runtime = runtime
        self.rules = rules
        self.stores = stores
    }

    /// Makes the run under way end after what it is at.
    public func stop() { isStopping = true }

    /// Cleans up. What fails is in the report and does not stop the rest.
    ///
    /// - Parameters:
    ///   - isDryRun: removes nothing.
    ///   - report: told of each thing, those to be removed in their order.
    public func run(
        isDryRun: Bool, _ report: @EventLoop (CleaningEntry) throws -> Void
    ) async throws -> CleaningSummary {
        isStopping = false
        var summary = CleaningSummary(isDryRun: isDryRun)
        func tell(_ entry: CleaningEntry) throws {
            summary.add(entry)
            try report(entry)
        }
        let now = Self.now
        // Which tarballs plugins were made from only cz-runtime knows.
        var madePlugins: Set<String>?
        do {
            let survey = try await runtime.surveyUse()
            summary.storage = survey.storage
            let plan = CleaningPlan(survey, rules, now: now)
            for decision in plan.decisions where !decision.removes {
                try tell(CleaningEntry(decision, .kept))
            }
            var tried: Set<Decision.Subject> = []
            for decision in plan.removals where !isStopping {
                tried.insert(decision.subject)
                try tell(CleaningEntry(decision, await carryOut(decision, isDryRun)))
            }
            if let pressure = plan.pressure {
                summary.reachedLowWater = pressure.isRelieved
                if !isDryRun {
                    summary.reachedLowWater = try await relieve(tried, tell)
                }
            }
            if !isDryRun, summary.count > 0 {
                summary.storage = try await runtime.info().storage
            }
            if stores.plugins != nil { madePlugins = try await pluginDigests() }
        } catch let failure where Self.isOfRuntime(failure) {
            summary.runtimeFailure = .init(
                message: "\(failure)", isUnavailable: Self.isUnavailable(failure))
        }
        try await cleanFiles(isDryRun, now: now, madePlugins: madePlugins, tell)
        return summary
    }

    static var now: Int64 { Int64(Date.now.timeIntervalSince1970) }

    // MARK: What cz-runtime has

    private func carryOut(_ decision: Decision, _ isDryRun: Bool) async -> CleaningEntry.Outcome {
        guard !isDryRun else { return .planned }
        do {
            let removed =
                switch decision.subject {
                case .container(let container): try await runtime.removeUnused(container)
                case .image(let image): try await runtime.removeUnused(image)
                case .volume(let volume): try await runtime.removeUnused(volume)
                }
            return removed ? .removed : .gone
        } catch RuntimeError.stillNeeded(_, let reason) {
            return .needed(reason)
        } catch {
            return .failed("\(error)")
        }
    }

    /// Images share layers, so what was planned may free less than it takes: goes on until there
    /// is enough room or nothing is left to remove.
    ///
    /// - Returns: whether there is enough room.
    private func relieve(
        _ tried: Set<Decision.Subject>, _ tell: @EventLoop (CleaningEntry) throws -> Void
    ) async throws -> Bool {
        var tried = tried
        var rules = rules
        rules.highWater = rules.lowWater
        while true {
            let plan = CleaningPlan(try await runtime.surveyUse(), rules, now: Self.now)
            guard plan.pressure != nil else { return true }
            let more = plan.removals.filter { decision in
                guard case .remove(.pressure) = decision.verdict else { return false }
                return tried.insert(decision.subject).inserted
            }
            guard !more.isEmpty, !isStopping else { return false }
            for decision in more where !isStopping {
                try tell(CleaningEntry(decision, await carryOut(decision, false)))
            }
        }
    }

    private static func isOfRuntime(_ error: any Error) -> Bool {
        error is RuntimeError || error is ConnectionError || error is ServiceError
    }

    private static func isUnavailable(_ error: any Error) -> Bool {
        switch error {
        case is ConnectionError, RuntimeError.engineUnavailable: true
        default: false
        }
    }

    // MARK: Files

    private func cleanFiles(
        _ isDryRun: Bool, now: Int64, madePlugins: Set<String>?,
        _ tell: @EventLoop (CleaningEntry) throws -> Void
    ) async throws {
        if let folder = stores.plugins, !isStopping {
            let age = rules.unusedAfter
            let entries = try await withOwnThread(named: "tarballs") {
                PluginLeftovers(folder, madePlugins: madePlugins, unusedAfter: age, now: now)
                    .clean(isDryRun: isDryRun)
            }
            for entry in entries { try tell(entry) }
        }
        if let folder = stores.cache, !isStopping {
            let limit = stores.cacheLimit
            let entries = try await withOwnThread(named: "cache") {
                CacheLeftovers(folder, limit: limit, now: now).clean(isDryRun: isDryRun)
            }
            for entry in entries { try tell(entry) }
        }
    }

    private func pluginDigests() async throws -> Set<String> {
        do {
            return Set(try await runtime.plugins().compactMap(\.digest))
        } catch RuntimeError.notSupported {
            return []
        }
    }
}
