import Testing

@testable import ContainerzClient

struct ProgressLineTests {
    @Test func theLine() {
        let start = ContinuousClock.now
        let line = ProgressLine("web:1", total: 512 << 20, start: start)
        #expect(line.text(0, at: start) == "web:1  0 %  0 B of 512.0 MiB")
        #expect(
            line.text(128 << 20, at: start + .seconds(2))
                == "web:1  25 %  128.0 MiB of 512.0 MiB  64.0 MiB/s  6 s left")
        #expect(
            line.text(512 << 20, at: start + .seconds(4)) == "web:1  100 %  512.0 MiB  128.0 MiB/s")
    }

    @Test func timesAndSizes() {
        #expect(ProgressLine.time(59.2) == "1 min 0 s")
        #expect(ProgressLine.time(3725) == "1 h 2 min")
        #expect(ProgressLine.time(.infinity) == "a long time")
        #expect(ProgressLine.scaled(5 << 40) == "5120.0 GiB")
    }

    @Test func ofUnknownSize() {
        let start = ContinuousClock.now
        let line = ProgressLine("web:1", total: nil, start: start)
        #expect(line.text(0, at: start) == "web:1  0 B")
        #expect(line.text(3 << 20, at: start + .seconds(2)) == "web:1  3.0 MiB  1.5 MiB/s")
    }

    @Test(arguments: [Int64.max, Int64.max / 100, Int64.min])
    func anythingADeviceSays(_ done: Int64) {
        let start = ContinuousClock.now
        let line = ProgressLine("web:1", total: 1000, start: start)
        let percent = done > 0 ? "100 %" : "0 %"
        #expect(line.text(done, at: start + .milliseconds(300)).hasPrefix("web:1  \(percent)  "))
    }
}
