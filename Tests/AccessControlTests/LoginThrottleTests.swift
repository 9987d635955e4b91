import Testing

@testable import AccessControl

@Suite("Guessing passwords") struct LoginThrottleTests {
    private let start = ContinuousClock.now

    @Test("A few failures are free, then each costs twice the time")
    func locks() throws {
        var throttle = LoginThrottle()
        for _ in 1..<LoginThrottle.freeFailures {
            throttle.failed("alice", from: "1", at: start)
            #expect(throttle.lock("alice", from: "1", at: start) == nil)
        }
        throttle.failed("alice", from: "1", at: start)
        #expect(throttle.lock("alice", from: "1", at: start) == .seconds(5))
        #expect(throttle.lock("alice", from: "1", at: start + .seconds(5)) == nil)
        throttle.failed("alice", from: "1", at: start)
        #expect(throttle.lock("alice", from: "1", at: start) == .seconds(10))
        for _ in 0..<100 { throttle.failed("alice", from: "1", at: start) }
        #expect(throttle.lock("alice", from: "1", at: start) == LoginThrottle.longestLock)
    }

    @Test("Nobody is locked out from elsewhere")
    func addresses() {
        var throttle = LoginThrottle()
        for _ in 0..<100 { throttle.failed("alice", from: "1", at: start) }
        #expect(throttle.lock("alice", from: "2", at: start) == nil)
    }

    @Test("An address that tries many names is locked for all of them")
    func spraying() {
        var throttle = LoginThrottle()
        for number in 0..<LoginThrottle.freeAddressFailures {
            throttle.failed("user\(number)", from: "1", at: start)
        }
        #expect(throttle.lock("another", from: "1", at: start) != nil)
        throttle.succeeded("another", from: "1")
        #expect(throttle.lock("another", from: "1", at: start) != nil)
    }

    @Test("Success and time make it forget")
    func forgetting() {
        var throttle = LoginThrottle()
        for _ in 0..<4 { throttle.failed("alice", from: "1", at: start) }
        throttle.succeeded("alice", from: "1")
        throttle.failed("alice", from: "1", at: start)
        #expect(throttle.lock("alice", from: "1", at: start) == nil)
        for _ in 0..<3 { throttle.failed("alice", from: "1", at: start) }
        let later = start + LoginThrottle.memory + .seconds(1)
        throttle.failed("alice", from: "1", at: later)
        #expect(throttle.lock("alice", from: "1", at: later) == nil)
    }
}
