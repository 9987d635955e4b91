import ContainerEngine
import PrintableText
import RuntimeAPI
import SystemIO

/// One update, forwards and backwards. What has been done is in the journal before the next step
/// begins, so that whoever finds the record can finish it.
@EventLoop
struct UpdateTransaction {
    let engine: any UpdateEngine
    let journal: UpdateJournal

    /// From the old container to the new one.
    ///
    /// - Parameter proof: what the new one has to show.
    /// - Throws: `RuntimeError` or `CancellationError`; then ``undo(_:)`` is due.
    func run(_ record: UpdateRecord, _ spec: ContainerSpec, _ proof: Proof) async throws {
        var record = record
        let (instance, oldID) = (record.instance, record.oldID)
        guard let old = try await engine.details(of: oldID) else {
            throw RuntimeError.containerNotFound(name: instance)
        }
        // Left by an update that broke off while the engine was at it.
        try await discardReplacements(of: oldID)
        // Nothing is stopped before everything that can fail without that has been done.
        let newID = try await engine.create(spec, replacing: old)
        record.newID = newID
        try await journal.write(record)
        try Task.checkCancellation()
        if record.restart != .init() { try await engine.setRestart(oldID, .init()) }
        try await engine.stop(oldID)
        try Task.checkCancellation()
        try await engine.rename(oldID, to: engine.asideName(of: oldID))
        try await engine.rename(newID, to: instance)
        try Task.checkCancellation()
        do {
            try await engine.start(newID, spec, named: instance)
            try await proof.wait(for: newID, on: engine)
        } catch let failure as Proof.Failure {
            throw RuntimeError.updateFailed(
                name: instance, reason: await explain(failure.description, newID))
        } catch RuntimeError.startFailed(_, let reason) {
            throw RuntimeError.updateFailed(
                name: instance, reason: "the new version did not start: \(reason)")
        }
        try Task.checkCancellation()
        record.state = .committed
        try await journal.write(record)
    }

    /// After the commit: the old one goes. Its volumes are the new one's.
    func finish(_ record: UpdateRecord) async throws {
        var record = record
        try await engine.discard(record.oldID, keepingVolumes: true)
        record.state = .done
        try await journal.write(record)
    }

    /// Before the commit: back to the old container as it was.
    ///
    /// - Parameter watchedUntil: in seconds since 1970.
    func undo(_ record: UpdateRecord, _ reason: String, watchedUntil: Double) async throws {
        var record = record
        var reason = reason
        do {
            _ = try await restore(record)
        } catch RuntimeError.notPermitted(_, let objection) {
            // A folder that it has was redirected, and trying again would not change that.
            reason += "; the old version was not started again: \(objection)"
        }
        record.watchedUntil = watchedUntil
        record.newID = nil
        record.state = .failed
        record.error = reason
        try await journal.write(record)
    }

    /// Makes the old container what it was, from whatever state.
    ///
    /// - Parameter mayStart: whether it is started when it was up and is not.
    /// - Returns: whether it was started.
    func restore(_ record: UpdateRecord, mayStart: Bool = true) async throws -> Bool {
        // The new one has the name and the ports, and may have been created unnoticed.
        try await discardReplacements(of: record.oldID)
        guard let old = try await engine.details(of: record.oldID) else { return false }
        try await engine.rename(old.id, to: record.instance)
        if record.restart != .init() { try await engine.setRestart(old.id, record.restart) }
        guard mayStart, record.wasUp, !old.isUp else { return false }
        try await engine.start(old.id, old.spec, named: record.instance)
        return true
    }

    func discardReplacements(of oldID: String) async throws {
        for id in try await engine.replacements(of: oldID) where id != oldID {
            try await engine.discard(id, keepingVolumes: false)
        }
    }

    private func explain(_ failure: String, _ id: String) async -> String {
        let reason = "the new version did not prove itself: \(failure)"
        // What it wrote is a help, not a condition.
        guard let lines = try? await engine.lastLines(of: id), !lines.isEmpty else {
            return reason
        }
        // By scalars: to Swift the end of a terminal's line, CR and LF, is one character.
        var quoted = lines.unicodeScalars
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { printable(String($0)) }
        while quoted.last?.allSatisfy(\.isWhitespace) ?? false { quoted.removeLast() }
        return "\(reason); its last lines: \(quoted.joined(separator: "\n"))"
    }
}
