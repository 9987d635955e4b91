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
    /// Instances that are looked after, until somebody else touches them.
    private var watches: [String: Task<Void, Never>] = [:]
    private let late: LateReplacements

    /// An engine goes on with what it was asked for when whoever asked is gone: a container that
    /// is slow to stop, or one just being created, may still change after the update was undone.
    /// Engines give a container 10 seconds to stop.
    private static let watchTime: Duration = .seconds(20)

    public init(
        _ engines: any EngineProvider, journal: UpdateJournal, proof: Proof, logger: Logger
    ) {
        self.engines = engines
        self.journal = journal
        self.proof = proof
        self.logger = logger
        late = LateReplacements(engines, journal)
    }

    /// Brings updates that a crash broke off to an end, in the background: until then their
    /// instances are busy.
    public func recover() {
        for record in journal.records.values where record.isUnfinished {
            busy.insert(record.instance)
            logger.notice(
                "an update was broken off",
                metadata: ["container": "\(record.instance)", "state": "\(record.state.rawValue)"])
            settleInBackground(record.instance, "the update was broken off")
        }
        for instance in journal.records.keys { watch(instance) }
    }

    /// Asked by whoever is about to change the instance; from then on it is theirs.
    ///
    /// - Throws: `RuntimeError.updateInProgress`.
    public func requireIdle(_ instance: String) async throws(RuntimeError) {
        guard InstanceName.mayBeInstance(instance) else {
            throw .containerNotFound(name: instance)
        }
        if busy.contains(instance) { throw .updateInProgress(name: instance) }
        await endWatch(instance)
        // Somebody else may have come meanwhile.
        if busy.contains(instance) { throw .updateInProgress(name: instance) }
    }

    /// Whether nobody else may touch the instance now.
    public func isBusy(_ instance: String) -> Bool { busy.contains(instance) }

    /// Instances that nobody else may touch now.
    public var countUnderWay: Int { busy.count }

    /// The images that instances are about to be made of.
    public var imagesUnderUpdate: Set<ImageName> {
        Set(wantedImages.values.map { (try? $0.familiar()) ?? $0 })
    }

    /// The instance is gone, and so is what there was to tell of its last update.
    public func forget(_ instance: String) async {
        do {
            try await journal.forget(instance)
        } catch {
            logger.warning(
                "the record of an update cannot be removed",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
        }
    }

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
        if busy.contains(instance) { throw RuntimeError.updateInProgress(name: instance) }
        busy.insert(instance)
        wantedImages[instance] = image
        await endWatch(instance)
        let plan: (record: UpdateRecord, spec: ContainerSpec)
        do {
            plan = try await self.plan(instance, image, settings)
            try Task.checkCancellation()
            await late.leave(plan.record.oldID)
            try await journal.write(plan.record)
        } catch {
            totals.failed += 1
            release(instance)
            throw error
        }
        // A task of its own, since the one that asked may be cancelled at any moment.
        let work = EventLoop.task { [self] in try await carryOut(plan.record, plan.spec) }
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
                    instance: instance, oldID: old.id, wasUp: old.isUp, restart: before.restart),
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
                            + Double(Self.watchTime.components.seconds))
                    totals.rolledBack += 1
                }
            }
            logger.info(
                record.state == .committed
                    ? "the old version is gone" : "the old version is back",
                metadata: ["container": "\(instance)"])
            watch(instance)
            return true
        } catch {
            logger.error(
                "an update could not be brought to an end yet",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
            return false
        }
    }

    // MARK: After an update was undone

    /// Looks after the old container for a while.
    private func watch(_ instance: String) {
        guard watches[instance] == nil, let record = journal.records[instance],
            let rest = Self.restOfWatch(record)
        else { return }
        watches[instance] = EventLoop.task { [self] in
            // Once: that it was stopped by us can happen once, and what ends by itself may.
            var mayStart = true
            await engines.keepLooking(for: rest) { engine in
                let started = try await UpdateTransaction(engine: engine, journal: journal)
                    .restore(record, mayStart: mayStart)
                if started { mayStart = false }
            }
            // A task that was cancelled is not the one that is kept there.
            if !Task.isCancelled { watches[instance] = nil }
        }
    }

    /// How long the old container is still to be looked after; nil when it is not.
    private static func restOfWatch(_ record: UpdateRecord) -> Duration? {
        let now = Date.now.timeIntervalSince1970
        guard record.state == .failed, let end = record.watchedUntil, end > now else { return nil }
        // The clock of a device that has just started may be years behind.
        return min(.seconds(end - now), watchTime)
    }

    /// Waits for what it is doing, which would change the instance behind somebody's back.
    private func endWatch(_ instance: String) async {
        guard let watch = watches[instance] else { return }
        watch.cancel()
        let record = journal.records[instance]
        do {
            try await journal.endWatch(of: instance)
        } catch {
            logger.warning(
                "the record of an update cannot be written",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
        }
        await watch.value
        // Several may have waited for it.
        if watches[instance] == watch { watches[instance] = nil }
        // The container is theirs, but not what the engine may still create; unless that is what
        // an update that has begun meanwhile lets it create.
        if let record, let rest = Self.restOfWatch(record), !busy.contains(instance) {
            late.sweep(record.oldID, for: rest)
        }
    }
}
