import FoundationEssentials
import Logging
import SystemIO

/// What is still to be done when an update was undone: an engine goes on with what it was asked for
/// when whoever asked is gone, so that a container that is slow to stop, or one just being created,
/// may still change.
@EventLoop
final class Aftercare {
    /// How long the old container is looked after; engines give a container 10 seconds to stop.
    static let time: Duration = .seconds(20)

    /// A container that is looked after.
    @EventLoop
    private final class Patient {
        let record: UpdateRecord
        /// Once: that it was stopped by us can happen once, and what ends by itself may.
        var mayStart = true
        /// Nil while somebody tries to change the instance.
        var task: Task<Void, Never>?

        init(_ record: UpdateRecord) { self.record = record }
    }

    private let engines: any EngineProvider
    private let journal: UpdateJournal
    private let logger: Logger
    private let late: LateReplacements
    /// Of the instances, until somebody else changes them.
    private var patients: [String: Patient] = [:]

    init(_ engines: any EngineProvider, _ journal: UpdateJournal, logger: Logger) {
        self.engines = engines
        self.journal = journal
        self.logger = logger
        late = LateReplacements(engines, journal)
    }

    /// Whether an instance's old container is looked after.
    func isAbout(_ instance: String) -> Bool { patients[instance] != nil }

    /// Whether a container is down only because what an update had asked for came late, so that it
    /// would be started again.
    func wouldStart(_ id: String, of instance: String) -> Bool {
        patients[instance].map { $0.record.oldID == id && $0.record.wasUp && $0.mayStart } ?? false
    }

    /// Goes on, or begins, where there is something to look after; nobody else may be changing the
    /// instance.
    func goOn(with instance: String) {
        guard let record = journal.records[instance], let rest = Self.rest(of: record) else {
            patients[instance] = nil
            return
        }
        if record.isHandedOver ?? false { return sweep(record, for: rest) }
        let patient =
            patients[instance].flatMap { $0.record == record ? $0 : nil } ?? Patient(record)
        guard patient.task == nil else { return }
        patients[instance] = patient
        patient.task = EventLoop.task { [self] in
            await engines.keepLooking(for: rest) { [journal] engine in
                let started = try await UpdateTransaction(engine: engine, journal: journal)
                    .restore(record, mayStart: patient.mayStart)
                if started { patient.mayStart = false }
            }
            // One that was suspended is still there.
            if !Task.isCancelled, patients[instance] === patient { patients[instance] = nil }
        }
    }

    /// Waits for what is being done to the instance, which would be behind somebody's back.
    func suspend(_ instance: String) async {
        guard let patient = patients[instance], let task = patient.task else { return }
        task.cancel()
        await task.value
        // Several may have waited for it.
        if patient.task == task { patient.task = nil }
    }

    /// The container is to be updated again, which begins with removing what others left.
    func leave(_ id: String, of instance: String) async {
        patients[instance] = nil
        await late.leave(id)
    }

    /// The container is somebody else's now, but not what the engine may still create, which is
    /// swept away once nobody is changing the instance any more.
    func handOver(_ instance: String) async {
        patients[instance] = nil
        guard let record = journal.records[instance], Self.rest(of: record) != nil,
            !(record.isHandedOver ?? false)
        else { return }
        await changeRecord(of: instance) { $0.isHandedOver = true }
    }

    /// The instance is gone, and so is what there was to tell of its last update.
    func forget(_ instance: String) async {
        guard let record = journal.records[instance], Self.rest(of: record) != nil else {
            return await removeRecord(of: instance)
        }
        // It still says what the engine may create.
        await changeRecord(of: instance) { record in
            record.isHandedOver = true
            record.isGone = true
        }
    }

    /// Removes records of instances that have gone before this process began.
    func removeStaleRecords() {
        for record in journal.records.values
        where record.isGone ?? false && Self.rest(of: record) == nil {
            EventLoop.task { [self] in await removeRecord(of: record.instance) }
        }
    }

    /// Removes what the engine still creates for an update whose instance is somebody else's.
    private func sweep(_ record: UpdateRecord, for time: Duration) {
        late.sweep(record.oldID, for: time) { [self] in
            guard journal.records[record.instance]?.isGone ?? false else { return }
            await removeRecord(of: record.instance)
        }
    }

    /// How long the old container is still to be looked after; nil when it is not.
    private static func rest(of record: UpdateRecord) -> Duration? {
        let now = Date.now.timeIntervalSince1970
        guard record.state == .failed, let end = record.watchedUntil, end > now else { return nil }
        // The clock of a device that has just started may be years behind.
        return min(.seconds(end - now), time)
    }

    // MARK: Records

    private func removeRecord(of instance: String) async {
        do {
            try await journal.forget(instance)
        } catch {
            logger.warning(
                "the record of an update cannot be removed",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
        }
    }

    private func changeRecord(
        of instance: String, _ change: @EventLoop (inout UpdateRecord) -> Void
    ) async {
        do {
            try await journal.change(instance, change)
        } catch {
            logger.warning(
                "the record of an update cannot be written",
                metadata: ["container": "\(instance)", "reason": "\(error)"])
        }
    }
}
