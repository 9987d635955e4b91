import SystemIO
import Testing

@testable import Fleet

@Suite("A share")
struct ShareTests {
    @Test(
        "is a number or a percentage",
        arguments: [
            ("0", Share.count(0)), ("12", .count(12)), ("0%", .percent(0)), ("100%", .percent(100)),
        ])
    func sound(text: String, share: Share) {
        #expect(Share(text) == share)
        #expect(share.description == text)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "%", "-1", "+1", "101%", "1.5", "1%%", "٣", "1\u{301}", "99999999999999999999",
        ])
    func unsound(text: String) {
        #expect(Share(text) == nil)
    }

    @Test("of a fleet is rounded down for failures, and up for steps")
    func rounding() {
        #expect(Share.percent(10).atMost(of: 19) == 1)
        #expect(Share.percent(10).atMost(of: 9) == 0)
        #expect(Share.percent(10).atLeastOne(of: 11) == 2)
        #expect(Share.percent(1).atLeastOne(of: 3) == 1)
        #expect(Share.count(5).atMost(of: 3) == 5)
    }
}

@Suite("A rollout")
struct RolloutTests {
    @Test("has a canary's step and then batches")
    func steps() {
        let plan = RolloutPlan(canary: 2, batch: .percent(30))
        #expect(plan.steps(of: 10) == [0..<2, 2..<5, 5..<8, 8..<10])
        #expect(plan.steps(of: 1) == [0..<1])
        #expect(RolloutPlan().steps(of: 4) == [0..<4])
        #expect(RolloutPlan(canary: 1).steps(of: 4) == [0..<1, 1..<4])
        #expect(RolloutPlan(batch: .count(Int.max)).steps(of: 4) == [0..<4])
        #expect(RolloutPlan().steps(of: 0) == [])
    }

    @Test("begins no more than may run at a time")
    func parallel() {
        var rollout = Rollout(RolloutPlan(), count: 3, parallel: 2)
        #expect(rollout.next() == .begin(0))
        #expect(rollout.next() == .begin(1))
        #expect(rollout.next() == .wait)
        rollout.ended(1, isWell: true)
        #expect(rollout.next() == .begin(2))
        #expect(rollout.next() == .wait)
        rollout.ended(0, isWell: false)
        rollout.ended(2, isWell: true)
        #expect(rollout.next() == .end)
        #expect(rollout.untouched == [] && rollout.stopReason == nil)
    }

    @Test("waits for a step's end, and pauses between two")
    func pauses() {
        var rollout = Rollout(
            RolloutPlan(canary: 1, batch: .count(2), pause: .seconds(3)), count: 3, parallel: 9)
        #expect(rollout.next() == .begin(0))
        #expect(rollout.next() == .wait)
        rollout.ended(0, isWell: true)
        #expect(rollout.next() == .pause(.seconds(3)))
        #expect(rollout.next() == .begin(1))
        #expect(rollout.next() == .begin(2))
        rollout.ended(2, isWell: true)
        #expect(rollout.next() == .wait)
        rollout.ended(1, isWell: true)
        #expect(rollout.next() == .end)
    }

    @Test("ends with a canary that is not well, however many may fail")
    func canary() {
        var rollout = Rollout(
            RolloutPlan(canary: 2, maximumFailures: .count(9)), count: 4, parallel: 9)
        #expect(rollout.next() == .begin(0))
        #expect(rollout.next() == .begin(1))
        rollout.ended(0, isWell: false)
        #expect(rollout.next() == .wait)
        rollout.ended(1, isWell: true)
        #expect(rollout.next() == .end)
        #expect(rollout.stopReason == .canaryFailed)
        #expect(rollout.untouched == [2, 3])
    }

    @Test("ends when more failed than may, and lets those that run come to their end")
    func failures() {
        var rollout = Rollout(
            RolloutPlan(maximumFailures: .percent(25)), count: 8, parallel: 4)
        for index in 0..<4 { #expect(rollout.next() == .begin(index)) }
        rollout.ended(0, isWell: false)
        rollout.ended(1, isWell: false)
        #expect(rollout.next() == .begin(4))
        rollout.ended(2, isWell: false)
        #expect(rollout.next() == .wait)
        rollout.ended(3, isWell: true)
        rollout.ended(4, isWell: true)
        #expect(rollout.next() == .end)
        #expect(rollout.stopReason == .failures(allowed: 2))
        #expect(rollout.untouched == [5, 6, 7])
    }

    @Test("goes on with any number of failures where none is given")
    func patience() {
        var rollout = Rollout(RolloutPlan(batch: .count(1)), count: 3, parallel: 1)
        for index in 0..<3 {
            #expect(rollout.next() == .begin(index))
            rollout.ended(index, isWell: false)
        }
        #expect(rollout.next() == .end)
        #expect(rollout.stopReason == nil)
    }

    @Test("leaves out what was done before, and keeps its steps")
    func resumed() {
        var rollout = Rollout(
            RolloutPlan(canary: 2, batch: .count(2), pause: .seconds(1)), count: 6,
            done: [0, 1, 2, 5], parallel: 9)
        #expect(rollout.next() == .begin(3))
        rollout.ended(3, isWell: true)
        #expect(rollout.next() == .pause(.seconds(1)))
        #expect(rollout.next() == .begin(4))
        rollout.ended(4, isWell: true)
        #expect(rollout.next() == .end)
    }

    @Test("is stopped by a wish, even in a pause")
    func stopped() async {
        let stop = StopRequest()
        let rollout = Rollout(
            RolloutPlan(batch: .count(1), pause: .seconds(3600)), count: 2, parallel: 1)
        let ended = await rollout.run(until: stop) { index in
            if index == 0 { EventLoop.enqueue { EventLoop.atEndOfTurn { stop.make() } } }
            return true
        }
        #expect(ended.stopReason == .asked)
        #expect(ended.untouched == [1])
    }

    @Test("of many devices runs each once, so many at a time")
    @EventLoop
    func many() async {
        var running = 0
        var most = 0
        var seen: [Int] = []
        let ended = await Rollout(RolloutPlan(), count: 1000, parallel: 7).run(
            until: StopRequest()
        ) { index in
            running += 1
            most = max(most, running)
            try? await EventLoop.sleep(for: .microseconds(index % 3))
            running -= 1
            seen.append(index)
            return index % 2 == 0
        }
        #expect(ended.untouched.isEmpty)
        #expect(most == 7)
        #expect(seen.sorted() == Array(0..<1000))
    }
}
