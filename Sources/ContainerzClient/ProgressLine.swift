/// The line that tells how far a transfer has come. Pure: given the time, it gives the text.
///
/// How far is what the other side says, which may be anything.
public struct ProgressLine: Sendable {
    private let title: String
    private let total: Int64?
    private let start: ContinuousClock.Instant

    /// - Parameter total: bytes; nil when it is not known how many will come.
    public init(_ title: String, total: Int64?, start: ContinuousClock.Instant) {
        self.title = title
        self.total = total
        self.start = start
    }

    /// `web:1.2  45 %  230.4 MiB of 512.0 MiB  118.2 MiB/s  2 s left`
    public func text(_ done: Int64, at now: ContinuousClock.Instant) -> String {
        var parts = [title]
        if let total {
            parts.append("\(Self.percent(done, of: total)) %")
            parts.append(
                done == total
                    ? Self.scaled(total) : "\(Self.scaled(done)) of \(Self.scaled(total))")
        } else {
            parts.append(Self.scaled(done))
        }
        let (seconds, attoseconds) = (now - start).components
        let elapsed = Double(seconds) + Double(attoseconds) / 1e18
        // The first moments say nothing about the rate.
        if elapsed > 0.2, done > 0 {
            let rate = Double(done) / elapsed
            parts.append("\(Self.scaled(rate))/s")
            if let total, done < total {
                parts.append("\(Self.time(Double(total - done) / rate)) left")
            }
        }
        return parts.joined(separator: "  ")
    }

    private static func percent(_ done: Int64, of total: Int64) -> Int {
        total == 0 ? 100 : Int(min(100, max(0, Double(done) * 100 / Double(total))))
    }

    static func scaled(_ bytes: Int64) -> String {
        bytes < 1024 ? "\(bytes) B" : scaled(Double(bytes))
    }

    private static func scaled(_ bytes: Double) -> String {
        var (value, unit) = (bytes, "B")
        for larger in ["KiB", "MiB", "GiB"] where value >= 1024 {
            (value, unit) = (value / 1024, larger)
        }
        return "\((value * 10).rounded() / 10) \(unit)"
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
