import Testing

@testable import GRPCTransport

@Suite("How round trips are measured") struct RoundTripTimeTests {
    private let start = ContinuousClock.now

    @Test func theShortestCounts() {
        var roundTrip = RoundTrip()
        #expect(roundTrip.shortest == nil)
        for (begin, end) in [(0, 30), (1000, 1010), (2000, 2050)] {
            roundTrip.begin(at: start + .milliseconds(begin))
            roundTrip.end(at: start + .milliseconds(end))
        }
        #expect(roundTrip.shortest == .milliseconds(10))
    }

    @Test func oneIsMeasuredAtATimeAndNotTooOften() {
        var roundTrip = RoundTrip()
        #expect(roundTrip.isDue(at: start))
        roundTrip.begin(at: start)
        #expect(!roundTrip.isDue(at: start + .seconds(5)))
        roundTrip.end(at: start + .milliseconds(1))
        #expect(!roundTrip.isDue(at: start + .milliseconds(1)))
        #expect(roundTrip.isDue(at: start + RoundTrip.interval))
    }

    @Test func settingsMeasureAndDelayNothing() {
        var roundTrip = RoundTrip()
        roundTrip.sendSettings(at: start)
        #expect(!roundTrip.isDue(at: start))
        roundTrip.end(at: start + .milliseconds(40))
        #expect(roundTrip.shortest == .milliseconds(40))
        #expect(roundTrip.isDue(at: start + .milliseconds(40)))
    }

    @Test func anAnswerToNothingMeasuresNothing() {
        var roundTrip = RoundTrip()
        roundTrip.end(at: start)
        #expect(roundTrip.shortest == nil)
    }
}
