import ContainerEngine
import FoundationEssentials
import Logging
import RuntimeAPI
import SystemIO

/// Who lends the engine, and finds it again after it was gone.
@EventLoop
public protocol EngineProvider: AnyObject, Sendable {
    /// - Throws: `RuntimeError.engineUnavailable`, and what `body` throws.
    func update<Result>(
        _ body: @EventLoop (any UpdateEngine) async throws -> Result
    ) async throws -> Result
}

/// Updates of instances: one at a time for each, and those that were broken off brought to an end.
@EventLoop
public final class Updater {
    /// Labels that tell of an instance's last update.
    private static let stateLabel = "org.containerz.update.state"
    private static let errorLabel = "org.containerz.update.error"

    private static let firstRetry: Duration = .milliseconds(200)
    private static let lastRetry: Duration = .seconds(10)

    private let engines: any EngineProvider
    private let journal: UpdateJournal
    private let proof: Proof
    private let logger: Logger
    /// Instances that nobody else may touch now.
    private var busy: Set<String> = [] {
        didSet { onChange?() }
    }
    /// How many updates came to what since the start.
    public private(set) var totals = UpdateTotals()
    /// Called when an update began or ended.
    public var onChange: (@EventLoop () -> Void)?
    /// What they are to become.
    private var wantedImages: [String: ImageName] = [:]
    /// Likewise, once that was found to be sound.
    private var plannedSpecs: [String: ContainerSpec] = [:]
    /// How many are changing an instance that is not being updated.
    private var changes: [String: Int] = [:]
    private let aftercare: Aftercare

    public init(
        _ engines: any EngineProvider, journal: UpdateJournal, proof: Proof, logger: Logger
    ) {
        self.engines = engines
        self.journal = journal
        self.proof = proof
        self.logger = logger
        aftercare = Aftercare(engines, journal, logger: logger)
    }

    /// Brings updates that a crash broke off to an end, in the background: until then their
    /// instances are busy.
    public func recover() {
        for (file, reason) in journal.unreadable {
            logger.error(
                "the record of an update cannot be read, so that the update is not looked after",
                metadata: ["file": "\(file)", "reason": "\(reason)"])
        }
        for record in journal.records.values where record.isUnfinished {
            busy.insert(record.instance)
            logger.notice(
                "an update was broken off",
                metadata: ["container": "\(record.instance)", "state": "\(record.state.rawValue)"])
            settleInBackground(record.instance, "the update was broken off")
        }
        aftercare.removeStaleRecords()
        for instance in journal.records.keys { lookAfter(instance) }
    }

    /// Runs somebody's change of an instance. When it was made the instance is theirs; one that is
    /// refused leaves it looked after, if it was.
    ///
    /// - Throws: `RuntimeError.updateInProgress`, and what `change` throws.
    public func handOver<Result>(
        _ instance: String, to change: @EventLoop () async throws -> Result
    ) async throws -> Result {
        guard InstanceName.mayBeInstance(instance) else {
            throw RuntimeError.containerNotFound(name: instance)
        }
        try requireIdle(instance)
        changes[instance, default: 0] += 1
        defer {
            changes[instance] = changes[instance].flatMap { $0 > 1 ? $0 - 1 : nil }
            lookAfter(instance)
        }
        await aftercare.suspend(instance)
        // An update may have begun meanwhile.
        try requireIdle(instance)
        do {
            let result = try await change()
            await aftercare.handOver(instance)
            return result
        } catch let error as CancellationError {
            // Nobody knows how much of it the engine still does.
            await aftercare.handOver(instance)
            throw error
        }
    }

    private func requireIdle(_ instance: String) throws(RuntimeError) {
        if busy.contains(instance) { throw .updateInProgress(name: instance) }
    }

    /// Whether an update is under way, or its outcome being looked after.
    public func isBusy(_ instance: String) -> Bool {
        busy.contains(instance) || aftercare.isAbout(instance)
    }

    /// Instances that nobody else may touch now.
    public var countUnderWay: Int { busy.count }

    /// What an instance that is being updated is to become; nil for others.
    public func plannedSpec(of instance: String) -> ContainerSpec? { plannedSpecs[instance] }

    /// The images that instances are about to be made of.
    public var imagesUnderUpdate: Set<ImageName> {
        Set(wantedImages.values.map { (try? $0.familiar()) ?? $0 })
    }

    /// The instance is gone, and so is what there was to tell of its last update.
    public func forget(_ instance: String) async { await aftercare.forget(instance) }

    /// Adds what is known of the containers' last updates.
    public func annotate(_ containers: [Container]) -> [Container] {
        // As nearly always.
        guard !journal.records.isEmpty else { return containers }
        return containers.map { container in
            guard let record = journal.records[container.name] else { return container }
            var container = container
            if record.isUnfinished {
                container.labels[Self.stateLabel] = "running"
            } else if record.resultID == container.id {
                container.labels[Self.stateLabel] = record.state.rawValue
                container.labels[Self.errorLabel] = record.error
            }
            return container
        }
    }

    /// Updates an instance.
    ///
    /// - Parameters:
    ///   - settings: what differs from the old container.
    ///   - detach: return once nothing speaks against it any more.
    /// - Throws: `RuntimeError`, or `CancellationError`; then the old container is what remains.
    public func update(
        _ instance: String, to image: ImageName, _ settings: ContainerSpec, detach: Bool
    ) async throws {
        guard InstanceName.mayBeInstance(instance) else {
            throw RuntimeError.containerNotFound(name: instance)
        }
        try requireIdle(instance)
        busy.insert(instance)
        wantedImages[instance] = image
        await aftercare.suspend(instance)
        let plan: (record: UpdateRecord, spec: ContainerSpec)
        do {
            plan = try await self.plan(instance, image, settings)
            try Task.checkCancellation()
            try await journal.write(plan.record)
        } catch {
            totals.failed += 1
            release(instance)
            throw error
        }
        await aftercare.leave(plan.record.oldID, of: instance)
        // A task of its own, since the one that asked may be cancelled at any moment.
        let work = EventLoop.task { [self] in try await carryOut(plan.record, plan.spec) }
        plannedSpecs[instance] = plan.spec
        guard !detach else { return }
        try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }

    private func plan(
        _ instance: String, _ image: ImageName, _ settings: ContainerSpec
    ) async throws -> (UpdateRecord, ContainerSpec) {
        try await engines.update { engine in
            guard let old = try await engine.details(of: instance), old.name == instance else {
                throw RuntimeError.containerNotFound(name: instance)
            }
            try engine.requireOwn(old)
            let before = old.spec ?? ContainerSpec(name: instance)
            guard old.spec != nil || settings != ContainerSpec() else {
                throw RuntimeError.invalidArgument(
                    field: "params",
                    reason: "\(instance) was not started by containerz, which cannot know its "
                        + "settings: give all of them")
            }
            var spec = try settings.over(before)
            spec.image = image
            spec.name = instance
            try Proof.validate(spec.labels)
            try await engine.validate(spec, replacing: old)
            return (
                UpdateRecord(
                    instance: instance, oldID: old.id,
                    wasUp: old.isUp || aftercare.wouldStart(old.id, of: instance),
                    restart: before.restart),
                spec
            )
        }
    }

    private func carryOut(_ record: UpdateRecord, _ spec: ContainerSpec) async throws {
        let instance = record.instance
        logger.info("updating", metadata: ["container": "\(instance)"])
        do {
            try await engines.update { engine in
                try await UpdateTransaction(engine: engine, journal: journal)
                    .run(record, spec, proof)
            }
        } catch {
            logger.warning(
                "the update failed",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
            let reason = error is CancellationError ? "the client gave it up" : "\(error)"
            await settle(instance, reason)
            throw error
        }
        await settle(instance, "")
        logger.info("updated", metadata: ["container": "\(instance)"])
    }

    /// Finishes or undoes what the journal says of the instance; when that cannot be done now, it
    /// goes on in the background.
    private func settle(_ instance: String, _ reason: String) async {
        // The task may be cancelled, and this has to be done all the same.
        let settled = await EventLoop.task { [self] in await trySettling(instance, reason) }.value
        if settled { release(instance) } else { settleInBackground(instance, reason) }
    }

    private func settleInBackground(_ instance: String, _ reason: String) {
        EventLoop.task { [self] in
            var delay = Self.firstRetry
            while !(await trySettling(instance, reason)) {
                try? await EventLoop.sleep(for: delay)
                delay = min(delay * 2, Self.lastRetry)
            }
            release(instance)
        }
    }

    private func release(_ instance: String) {
        busy.remove(instance)
        wantedImages[instance] = nil
        plannedSpecs[instance] = nil
        lookAfter(instance)
    }

    private func trySettling(_ instance: String, _ reason: String) async -> Bool {
        guard let record = journal.records[instance], record.isUnfinished else { return true }
        do {
            try await engines.update { engine in
                let transaction = UpdateTransaction(engine: engine, journal: journal)
                if record.state == .committed {
                    try await transaction.finish(record)
                    totals.finished += 1
                } else {
                    try await transaction.undo(
                        record, reason,
                        watchedUntil: Date.now.timeIntervalSince1970
                            + Double(Aftercare.time.components.seconds))
                    totals.rolledBack += 1
                }
            }
            logger.info(
                record.state == .committed
                    ? "the old version is gone" : "the old version is back",
                metadata: ["container": "\(instance)"])
            return true
        } catch {
            logger.error(
                "an update could not be brought to an end yet",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
            return false
        }
    }

    /// Looks after an instance whose update was undone, unless somebody is changing it.
    private func lookAfter(_ instance: String) {
        guard !busy.contains(instance), changes[instance] == nil else { return }
        aftercare.goOn(with: instance)
    }
}
