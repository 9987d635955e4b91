import ContainerzClient
import Glibc
import Synchronization

/// Shows how far a transfer has come, on a terminal only.
final class ProgressBar: Sendable {
    private let line: ProgressLine
    private let shown = Mutex<ContinuousClock.Instant?>(nil)
    private let isTerminal: Bool

    /// Often enough for the eye.
    private static let interval: Duration = .milliseconds(100)

    init(_ title: String, total: Int64?) {
        line = ProgressLine(title, total: total, start: .now)
        // Those of several devices would be over each other.
        isTerminal = isatty(STDERR_FILENO) == 1 && TargetOutput.current == nil
    }

    func update(_ done: Int64) {
        guard isTerminal else { return }
        let now = ContinuousClock.now
        let isDue = shown.withLock { last in
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
        if isDue { write("\r\(line.text(done, at: now))\u{1B}[K") }
    }

    /// Takes the line away again.
    func finish() {
        if shown.withLock({ $0 != nil }) { write("\r\u{1B}[K") }
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
