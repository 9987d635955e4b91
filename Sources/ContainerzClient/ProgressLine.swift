/// The line that tells how far a transfer has come. Pure: given the time, it gives the text.
public struct ProgressLine: Sendable {
    private let title: String
    private let total: Int64
    private let start: ContinuousClock.Instant

    public init(_ title: String, total: Int64, start: ContinuousClock.Instant) {
        self.title = title
        self.total = total
        self.start = start
    }

    /// `web:1.2  45 %  230.4 of 512.0 MiB  118.2 MiB/s  2 s left`
    public func text(_ done: Int64, at now: ContinuousClock.Instant) -> String {
        let percent =
            total == 0
            ? 100 : done.multipliedFullWidth(by: 100).high == 0 ? done * 100 / total : 100
        var parts = ["\(title)", "\(percent) %", Self.amount(done, of: total)]
        let (seconds, attoseconds) = (now - start).components
        let elapsed = Double(seconds) + Double(attoseconds) / 1e18
        // The first moments say nothing about the rate.
        if elapsed > 0.2, done > 0 {
            let rate = Double(done) / elapsed
            parts.append("\(Self.scaled(Int64(rate)))/s")
            let left = Double(total - done) / rate
            if done < total { parts.append("\(Self.time(left)) left") }
        }
        return parts.joined(separator: "  ")
    }

    private static func amount(_ done: Int64, of total: Int64) -> String {
        done == total ? scaled(total) : "\(scaled(done)) of \(scaled(total))"
    }

    static func scaled(_ bytes: Int64) -> String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 || unit == "GiB" {
                if unit == "B" { return "\(bytes) B" }
                return "\((value * 10).rounded() / 10) \(unit)"
            }
            value /= 1024
        }
        return "\(bytes) B"
    }

    static func time(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 360_000 else { return "a long time" }
        let whole = Int(seconds.rounded(.up))
        if whole < 60 { return "\(whole) s" }
        let minutes = whole / 60
        return minutes < 60
            ? "\(minutes) min \(whole % 60) s" : "\(minutes / 60) h \(minutes % 60) min"
    }
}
