import SystemIO
import Testing

@testable import GRPCTransport

@Suite struct WindowTests {
    private static let mib = 1 << 20

    /// What a window becomes when a peer sends all that it may and the line takes `roundTrip`,
    /// or less when only so many bytes a second are taken.
    private func grown(roundTrip: Duration, pace: Double, rounds: Int = 50) -> Int {
        var estimate = WindowEstimate(window: Self.mib, widest: 16 * Self.mib)
        var now = ContinuousClock.now
        let step = max(roundTrip, .milliseconds(1))
        for _ in 0..<rounds {
            let most = pace * (step / .seconds(1))
            let count = min(Int(most), estimate.window)
            if let wanted = estimate.took(count, at: now, roundTrip: roundTrip) {
                #expect(wanted > estimate.window)
                estimate.widen(by: wanted - estimate.window)
            }
            now += step
        }
        return estimate.window
    }

    @Test func aLongLineIsFilled() {
        #expect(grown(roundTrip: .milliseconds(50), pace: 1e9) == 16 * Self.mib)
    }

    @Test func itGrowsWithinAFewRoundTrips() {
        #expect(grown(roundTrip: .milliseconds(50), pace: 1e9, rounds: 7) == 16 * Self.mib)
    }

    @Test func aShortLineNeedsNoMoreThanThereIs() {
        #expect(grown(roundTrip: .microseconds(100), pace: 1e9) == Self.mib)
    }

    @Test func aSlowReaderIsNotSentMore() {
        // 4 MB/s over 50 ms are 200 kB under way.
        #expect(grown(roundTrip: .milliseconds(50), pace: 4e6) == Self.mib)
    }

    @Test func itIsNoWiderThanThePaceNeeds() {
        // 40 MB/s over 50 ms are 2 MB under way.
        let window = grown(roundTrip: .milliseconds(50), pace: 40e6)
        #expect(window > 4_000_000 && window <= 8_000_000)
    }

    @Test @EventLoop func allStreamsTogetherAreWidenedByAPartOfTheBudget() {
        let budget = BufferBudget(limit: 64 * Self.mib)
        #expect(budget.widen(by: 10 * Self.mib) == 10 * Self.mib)
        #expect(budget.widen(by: 10 * Self.mib) == 6 * Self.mib)
        #expect(budget.widen(by: 1) == 0)
        budget.narrow(by: 10 * Self.mib)
        #expect(budget.widen(by: 3) == 3)
    }
}
