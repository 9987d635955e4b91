import Testing

@testable import GRPCTransport

private typealias Frame = PeerConduct.Frame

@Suite struct TokenBucketTests {
    private let start = ContinuousClock.now

    private func taken(_ bucket: inout TokenBucket, of count: Int, after: Duration) -> Int {
        (0..<count).filter { _ in bucket.take(at: start + after) }.count
    }

    @Test func theBurstComesFirstAndThenTheRate() {
        var bucket = TokenBucket(RateLimit(burst: 10, perSecond: 4), at: start)
        #expect(taken(&bucket, of: 20, after: .zero) == 10)
        #expect(taken(&bucket, of: 20, after: .milliseconds(249)) == 0)
        #expect(taken(&bucket, of: 20, after: .milliseconds(250)) == 1)
        #expect(taken(&bucket, of: 20, after: .milliseconds(1000)) == 3)
    }

    @Test func partsOfAnIntervalAddUp() {
        var bucket = TokenBucket(RateLimit(burst: 5, perSecond: 10), at: start)
        #expect(taken(&bucket, of: 9, after: .zero) == 5)
        // Asked for at times that are no multiples of the interval, it loses none of them.
        let times = stride(from: 30, through: 1020, by: 30).map { Duration.milliseconds($0) }
        #expect(times.map { taken(&bucket, of: 1, after: $0) }.reduce(0, +) == 10)
    }

    @Test func restFillsItNoFurtherThanTheBurst() {
        var bucket = TokenBucket(RateLimit(burst: 3, perSecond: 1000), at: start)
        #expect(taken(&bucket, of: 9, after: .seconds(3600)) == 3)
        #expect(taken(&bucket, of: 9, after: .seconds(7200)) == 3)
    }

    @Test func whatIsEarnedIsCappedToo() {
        var bucket = TokenBucket(RateLimit(burst: 2, perSecond: 0), at: start)
        bucket.earn(100)
        #expect(taken(&bucket, of: 9, after: .zero) == 2)
        bucket.earn(1)
        #expect(taken(&bucket, of: 9, after: .seconds(60)) == 1)
    }

    @Test func aClockThatStandsStillGivesNothing() {
        var bucket = TokenBucket(RateLimit(burst: 1, perSecond: 1_000_000_000), at: start)
        #expect(taken(&bucket, of: 9, after: .seconds(-1)) == 1)
        #expect(taken(&bucket, of: 9, after: .seconds(-1)) == 0)
    }
}

@Suite struct PeerConductTests {
    private let now = ContinuousClock.now
    private let limits = PeerConduct.Limits(
        resets: RateLimit(burst: 5, perSecond: 1),
        controlFrames: RateLimit(burst: 10, perSecond: 1))

    private func violation(
        after count: Int, of frame: PeerConduct.Frame,
        beside: (inout PeerConduct) -> Void = { _ in }
    ) -> PeerViolation? {
        var conduct = PeerConduct(limits, at: now)
        for _ in 0..<count {
            if let violation = conduct.received(frame, at: now) { return violation }
            beside(&conduct)
        }
        return nil
    }

    @Test(arguments: [2, 4, 6, 8, 0xA, 0x10, 0xFF] as [UInt8])
    func controlFramesHaveALimit(type: UInt8) {
        let frame = Frame(type: type, flags: 0, length: 8)
        #expect(violation(after: 10, of: frame) == nil)
        #expect(violation(after: 11, of: frame) == .tooManyControlFrames(limits.controlFrames))
    }

    @Test func resetsHaveALimitOfTheirOwn() {
        let frame = Frame(type: Frame.reset, flags: 0, length: 4)
        #expect(violation(after: 5, of: frame) == nil)
        #expect(violation(after: 6, of: frame) == .tooManyResets(limits.resets))
    }

    @Test func resetsThatAPeerProvokesCountToo() {
        var conduct = PeerConduct(limits, at: now)
        let provoked = (0..<6).map { _ in conduct.broke(at: now) }
        #expect(provoked == [nil, nil, nil, nil, nil, .tooManyResets(limits.resets)])
    }

    @Test func dataThatCarriesNothingIsAControlFrame() {
        let empty = Frame(type: Frame.data, flags: 0, length: 0)
        let padding = Frame(type: Frame.data, flags: Frame.isPadded, length: 256)
        for frame in [empty, padding] {
            #expect(violation(after: 11, of: frame) == .tooManyControlFrames(limits.controlFrames))
        }
    }

    @Test func requestsAndTheirDataAreFree() {
        let frames = [
            Frame(type: Frame.data, flags: 0, length: 1),
            Frame(type: Frame.data, flags: Frame.endsStream, length: 0),
            Frame(type: Frame.data, flags: Frame.isPadded, length: 257),
        ]
        for frame in frames { #expect(violation(after: 1000, of: frame) == nil) }
        let headers = Frame(type: Frame.headers, flags: 4, length: 100)
        #expect(violation(after: 1000, of: headers) { $0.opened() } == nil)
    }

    @Test func headersThatOpenNothingAreControlFrames() {
        let headers = Frame(type: Frame.headers, flags: 4, length: 0)
        #expect(violation(after: 11, of: headers) == .tooManyControlFrames(limits.controlFrames))
    }

    @Test func aReaderMayOpenItsWindowForEachMessage() {
        var conduct = PeerConduct(limits, at: now)
        conduct.sentData(5000)
        let updates = (0..<1000).map { _ in
            conduct.received(Frame(type: Frame.windowUpdate, flags: 0, length: 4), at: now)
        }
        #expect(updates.allSatisfy { $0 == nil })
    }

    @Test func aReaderMayOpenItsWindowAsDataComes() {
        let update = Frame(type: 8, flags: 0, length: 4)
        #expect(violation(after: 1000, of: update) { $0.sentData(16) } == nil)
    }
}

@Suite struct ConnectionAdmissionTests {
    private let admission = ConnectionAdmission(maximum: 4, maximumPerPeer: 2)
    private let now = ContinuousClock.now

    private func entries(
        _ list: [(peer: String, phase: ConnectionAdmission.Phase)]
    ) -> [ConnectionAdmission.Entry<Int>] {
        list.enumerated().map {
            .init(id: $0, peer: $1.peer, number: UInt64($0), phase: $1.phase)
        }
    }

    private func idle(_ seconds: Int) -> ConnectionAdmission.Phase {
        .idle(since: now - .seconds(seconds))
    }

    private func outcome(
        of peer: String, beside list: [(peer: String, phase: ConnectionAdmission.Phase)]
    ) -> String {
        switch admission.admit(peer: peer, beside: entries(list)) {
        case .admit: "admit"
        case .evict(let id, _): "evict \(id)"
        case .refuse(.tooManyConnectionsOfPeer): "refuse the peer"
        case .refuse: "refuse"
        }
    }

    @Test func thereIsRoomAtFirst() {
        #expect(outcome(of: "a", beside: []) == "admit")
        #expect(outcome(of: "a", beside: [("a", .busy), ("b", .busy), ("b", .busy)]) == "admit")
    }

    @Test func aFloodOfHandshakesPushesItselfOut() {
        #expect(
            outcome(of: "a", beside: [("b", .handshaking), ("a", idle(9)), ("a", .handshaking)])
                == "evict 2")
        #expect(
            outcome(
                of: "c",
                beside: [
                    ("a", idle(9)), ("a", .busy), ("b", .handshaking),
                    ("b", .handshaking),
                ]) == "evict 2")
    }

    @Test func whoWasNeverLetInGoesBeforeTheIdle() {
        #expect(
            outcome(
                of: "c",
                beside: [
                    ("a", .busy), ("a", idle(9)), ("b", .unproven(since: now)),
                    ("b", .unproven(since: now - .seconds(1))),
                ]) == "evict 3")
    }

    @Test func theLongestIdleGoesNext() {
        #expect(
            outcome(
                of: "c",
                beside: [
                    ("a", .busy), ("a", idle(5)), ("b", idle(7)),
                    ("b", .busy),
                ]) == "evict 2")
    }

    @Test func aPeerOverItsLimitCostsNobodyElse() {
        #expect(
            outcome(of: "a", beside: [("b", idle(9)), ("a", .busy), ("a", .busy)])
                == "refuse the peer")
    }

    @Test func thoseWithCallsStay() {
        #expect(
            outcome(of: "c", beside: [("a", .busy), ("a", .busy), ("b", .busy), ("b", .busy)])
                == "refuse")
    }
}
