import GRPCTransport
import Logging
import SystemIO

/// Writes down why connections ended, at a rate that an attacker cannot raise.
@EventLoop
final class ConnectionLog {
    /// What tells an attack from an accident, and fills no flash: at most 86 400 lines a day.
    private static let rate = RateLimit(burst: 20, perSecond: 1)
    /// When what was left out is counted up at the latest.
    private static let summaryDelay: Duration = .seconds(10)

    private let logger: Logger
    private var bucket = TokenBucket(rate, at: .now)
    private var suppressed = 0
    private var summary: EventLoop.Timer?

    init(_ logger: Logger) { self.logger = logger }

    func connectionEnded(_ peer: String, _ error: any Error) {
        guard bucket.take(at: .now) else {
            suppressed += 1
            if summary == nil {
                summary = EventLoop.Timer(after: Self.summaryDelay) { [weak self] in
                    self?.summarise()
                }
            }
            return
        }
        logger.notice("a connection ended", metadata: ["peer": "\(peer)", "reason": "\(error)"])
    }

    private func summarise() {
        summary = nil
        logger.notice(
            "more connections ended", metadata: ["suppressed": .stringConvertible(suppressed)])
        suppressed = 0
    }
}
