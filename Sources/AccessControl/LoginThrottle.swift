/// Slows down those who guess passwords. Pure: the time is given.
///
/// Failures are counted for a name from an address, and for an address whatever the name, so that
/// neither one account nor many can be tried quickly; a name alone is never locked, since then
/// anybody could lock anybody out. What is counted is bounded, and forgotten after a while.
struct LoginThrottle {
    typealias Instant = ContinuousClock.Instant

    /// What failures are counted for.
    private enum Subject: Hashable {
        case login(name: String, address: String)
        case address(String)
    }

    private struct Record {
        var failures = 0
        var last: Instant
        var lockedUntil: Instant
    }

    private var records: [Subject: Record] = [:]

    /// Failures that a person may make.
    static let freeFailures = 5
    /// For an address, behind which several may sit.
    static let freeAddressFailures = 20
    static let firstLock: Duration = .seconds(5)
    static let longestLock: Duration = .seconds(900)
    /// After which failures are forgotten.
    static let memory: Duration = .seconds(1800)
    /// Some hundred bytes each.
    static let mostRecords = 4096

    /// How long this login is locked still; nil when it may be tried.
    func lock(_ name: String, from address: String, at now: Instant) -> Duration? {
        let until = subjects(name, address).compactMap { records[$0]?.lockedUntil }.max()
        guard let until, until > now else { return nil }
        return until - now
    }

    mutating func failed(_ name: String, from address: String, at now: Instant) {
        makeRoom(now)
        for subject in subjects(name, address) {
            var record = records[subject] ?? Record(last: now, lockedUntil: now)
            if now - record.last > Self.memory { record.failures = 0 }
            record.failures += 1
            record.last = now
            let free =
                if case .address = subject { Self.freeAddressFailures } else { Self.freeFailures }
            if record.failures >= free {
                // Twice as long each time.
                let doublings = min(record.failures - free, 16)
                record.lockedUntil =
                    now + min(Self.firstLock * (1 << doublings), Self.longestLock)
            }
            records[subject] = record
        }
    }

    /// The name's failures are forgotten; the address's are not, or one's own account would
    /// open the way to others.
    mutating func succeeded(_ name: String, from address: String) {
        records[.login(name: name, address: address)] = nil
    }

    private func subjects(_ name: String, _ address: String) -> [Subject] {
        [.login(name: name, address: address), .address(address)]
    }

    private mutating func makeRoom(_ now: Instant) {
        guard records.count >= Self.mostRecords else { return }
        records = records.filter { now - $0.value.last <= Self.memory }
        // Half of them at once, the oldest, so that this is rare.
        guard records.count >= Self.mostRecords else { return }
        let oldest = records.sorted { $0.value.last < $1.value.last }
        for (subject, _) in oldest.prefix(Self.mostRecords / 2) { records[subject] = nil }
    }
}
