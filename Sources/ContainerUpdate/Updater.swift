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

    /// An instance that is looked after.
    @EventLoop
    private final class Watch {
        let record: UpdateRecord
        /// Once: that it was stopped by us can happen once, and what ends by itself may.
        var mayStart = true
        /// Nil while somebody tries to change the instance.
        var task: Task<Void, Never>?

        init(_ record: UpdateRecord) { self.record = record }
    }

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
    /// Instances that are looked after, until somebody else changes them.
    private var watches: [String: Watch] = [:]
    /// How many are changing an instance that is not being updated.
    private var changes: [String: Int] = [:]
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
        for record in journal.records.values {
            if record.isGone ?? false, Self.restOfWatch(record) == nil {
                EventLoop.task { [self] in await removeRecord(record.instance) }
            } else {
                watch(record.instance)
            }
        }
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
            watch(instance)
        }
        await suspendWatch(instance)
        // An update may have begun meanwhile.
        try requireIdle(instance)
        do {
            let result = try await change()
            await endWatch(instance)
            return result
        } catch let error as CancellationError {
            // Nobody knows how much of it the engine still does.
            await endWatch(instance)
            throw error
        }
    }

    private func requireIdle(_ instance: String) throws(RuntimeError) {
        if busy.contains(instance) { throw .updateInProgress(name: instance) }
    }

    /// Whether an update is under way, or its outcome being looked after.
    public func isBusy(_ instance: String) -> Bool {
        busy.contains(instance) || watches[instance] != nil
    }

    /// Instances that nobody else may touch now.
    public var countUnderWay: Int { busy.count }

    /// The images that instances are about to be made of.
    public var imagesUnderUpdate: Set<ImageName> {
        Set(wantedImages.values.map { (try? $0.familiar()) ?? $0 })
    }

    /// The instance is gone, and so is what there was to tell of its last update.
    public func forget(_ instance: String) async {
        guard let record = journal.records[instance], Self.restOfWatch(record) != nil else {
            return await removeRecord(instance)
        }
        // It still says what the engine may create.
        await changeRecord(instance) { record in
            record.isHandedOver = true
            record.isGone = true
        }
    }

    private func removeRecord(_ instance: String) async {
        do {
            try await journal.forget(instance)
        } catch {
            logger.warning(
                "the record of an update cannot be removed",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
        }
    }

    private func changeRecord(
        _ instance: String, _ change: @EventLoop (inout UpdateRecord) -> Void
    ) async {
        do {
            try await journal.change(instance, change)
        } catch {
            logger.warning(
                "the record of an update cannot be written",
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
        try requireIdle(instance)
        busy.insert(instance)
        wantedImages[instance] = image
        await suspendWatch(instance)
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
        watches[instance] = nil
        await late.leave(plan.record.oldID)
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
            // It may be down only because what the update before asked for came late.
            let wouldBeStarted =
                watches[instance].map {
                    $0.record.oldID == old.id && $0.record.wasUp && $0.mayStart
                } ?? false
            return (
                UpdateRecord(
                    instance: instance, oldID: old.id, wasUp: old.isUp || wouldBeStarted,
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
        watch(instance)
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
            return true
        } catch {
            logger.error(
                "an update could not be brought to an end yet",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
            return false
        }
    }

    // MARK: After an update was undone

    /// Looks after the old container for a while, unless somebody is changing the instance.
    private func watch(_ instance: String) {
        guard !busy.contains(instance), changes[instance] == nil else { return }
        guard let record = journal.records[instance], let rest = Self.restOfWatch(record) else {
            watches[instance] = nil
            return
        }
        if record.isHandedOver ?? false { return sweep(record, for: rest) }
        let watch = watches[instance].flatMap { $0.record == record ? $0 : nil } ?? Watch(record)
        guard watch.task == nil else { return }
        watches[instance] = watch
        watch.task = EventLoop.task { [self] in
            await engines.keepLooking(for: rest) { [journal] engine in
                let started = try await UpdateTransaction(engine: engine, journal: journal)
                    .restore(record, mayStart: watch.mayStart)
                if started { watch.mayStart = false }
            }
            // One that was suspended is still there.
            if !Task.isCancelled, watches[instance] === watch { watches[instance] = nil }
        }
    }

    /// Removes what the engine still creates for an update whose instance is somebody else's.
    private func sweep(_ record: UpdateRecord, for time: Duration) {
        late.sweep(record.oldID, for: time) { [self] in
            guard journal.records[record.instance]?.isGone ?? false else { return }
            await removeRecord(record.instance)
        }
    }

    /// How long the old container is still to be looked after; nil when it is not.
    private static func restOfWatch(_ record: UpdateRecord) -> Duration? {
        let now = Date.now.timeIntervalSince1970
        guard record.state == .failed, let end = record.watchedUntil, end > now else { return nil }
        // The clock of a device that has just started may be years behind.
        return min(.seconds(end - now), watchTime)
    }

    /// Waits for what is being done to the instance, which would be behind somebody's back.
    private func suspendWatch(_ instance: String) async {
        guard let watch = watches[instance], let task = watch.task else { return }
        task.cancel()
        await task.value
        // Several may have waited for it.
        if watch.task == task { watch.task = nil }
    }

    /// The container is somebody else's now, but not what the engine may still create, which is
    /// swept away once nobody is changing the instance any more.
    private func endWatch(_ instance: String) async {
        watches[instance] = nil
        guard let record = journal.records[instance], Self.restOfWatch(record) != nil,
            !(record.isHandedOver ?? false)
        else { return }
        await changeRecord(instance) { $0.isHandedOver = true }
    }
}
