/// How far ahead a stream's peer has to be let send for a long line to stay full. Pure.
///
/// What is under way on a line is its rate times its round trip; a window less than that is
/// what the peer waits for, however fast we take what comes. The window is set from the pace at
/// which we take bytes, so that it never grows for a peer that is ahead of us: near by, where a
/// round trip is short, it stays as it was.
struct WindowEstimate {
    /// In bytes, what the peer was told.
    private(set) var window: Int
    let widest: Int

    /// The pace is measured over at least so long, and a round trip.
    private static let shortestMeasurement: Duration = .milliseconds(10)
    /// Times what is under way: a peer that stands still until it may send more brings a window in
    /// a round trip, and the right one should be found in few.
    private static let room = 4

    private var begin: ContinuousClock.Instant?
    private var taken = 0

    init(window: Int, widest: Int) {
        self.window = window
        self.widest = widest
    }

    /// So many bytes were taken.
    ///
    /// - Parameter roundTrip: the shortest that was measured.
    /// - Returns: the window there should be, when that is more than there is.
    mutating func took(
        _ count: Int, at now: ContinuousClock.Instant, roundTrip: Duration
    ) -> Int? {
        guard window < widest else { return nil }
        guard let begin else {
            self.begin = now
            return nil
        }
        taken += count
        let elapsed = now - begin
        guard elapsed >= max(Self.shortestMeasurement, roundTrip) else { return nil }
        let underWay = Double(taken) * (roundTrip / elapsed)
        self.begin = now
        taken = 0
        let wanted = min(widest, Int(underWay) * Self.room)
        return wanted > window ? wanted : nil
    }

    mutating func widen(by bytes: Int) { window += bytes }
}
