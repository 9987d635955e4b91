/// How long a round trip to the peer takes, measured now and then. Pure.
struct RoundTrip {
    typealias Instant = ContinuousClock.Instant

    /// How often it is measured, as long as much arrives.
    static let interval: Duration = .milliseconds(250)

    /// When our settings, or a ping that measures, went out, until that is acknowledged.
    private var measuringSince: Instant?
    private var lastMeasurement: Instant?
    /// The shortest that was measured: others had to wait behind what the peer was sending.
    private(set) var shortest: Duration?

    /// Whether it is time for a ping that measures.
    func isDue(at now: Instant) -> Bool {
        measuringSince == nil && lastMeasurement.map { now - $0 >= Self.interval } ?? true
    }

    /// Our settings go out; their acknowledgement is a measurement that costs nothing, so that
    /// the next need not wait.
    mutating func sendSettings(at now: Instant) { measuringSince = now }

    /// A ping that measures goes out.
    mutating func begin(at now: Instant) {
        measuringSince = now
        lastMeasurement = now
    }

    /// The peer has acknowledged what went out.
    mutating func end(at now: Instant) {
        guard let begin = measuringSince else { return }
        measuringSince = nil
        let time = now - begin
        shortest = min(time, shortest ?? time)
    }
}
