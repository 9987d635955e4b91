import GRPCTransport
import Logging
import SystemIO

/// Says in the log that a list of revoked certificates has expired, or is about to: from then on
/// nobody is let in, and what clients hear does not say why.
@EventLoop
final class RevocationReminder {
    private enum Warning { case soon, expired }

    private let file: String
    private let logger: Logger
    private var timer: EventLoop.Timer?
    /// What was said already, by issuer.
    private var warnings: [String: Warning] = [:]

    /// Time for somebody to do something about it.
    private static let notice: Duration = .seconds(24 * 3600)
    private static let interval: Duration = .seconds(3600)

    init(_ file: String, logger: Logger) {
        self.file = file
        self.logger = logger
    }

    /// Looks at the file, which was read just now, and every hour from now on.
    func begin() {
        warnings = [:]
        look()
    }

    func cancel() { timer?.cancel() }

    private func look() {
        timer?.cancel()
        timer = EventLoop.Timer(after: Self.interval) { [weak self] in self?.look() }
        // That it cannot be read is for whoever loads it to say.
        for list in (try? RevocationList.read(file)) ?? [] { remind(list) }
    }

    private func remind(_ list: RevocationList) {
        guard let validity = list.validity, validity < Self.notice else { return }
        let warning: Warning = validity <= .zero ? .expired : .soon
        guard warnings.updateValue(warning, forKey: list.issuer) != warning else { return }
        var details: Logger.Metadata = ["file": "\(file)", "issuer": "\(list.issuer)"]
        switch warning {
        case .expired:
            details["reason"] = "until there is a new one no client of its issuer is let in"
            logger.error("the list of revoked certificates has expired", metadata: details)
        case .soon:
            details["seconds"] = "\(validity.components.seconds)"
            details["reason"] = "without a new one no client of its issuer is let in by then"
            logger.warning("the list of revoked certificates expires soon", metadata: details)
        }
    }
}
