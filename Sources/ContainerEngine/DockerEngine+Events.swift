import FoundationEssentials
import HTTPClient
import RuntimeAPI
import SystemIO

extension DockerEngine {
    func events(of id: String, since: Int64? = nil) async throws -> HTTPResponse {
        var query = [("filters", #"{"container":["\#(id)"]}"#)]
        if let since { query.append(("since", String(since))) }
        return try await api.open("GET", "/events", query, timeout: nil)
    }

    /// - Returns: false when nothing happened in time.
    func nextEvent(
        _ events: HTTPResponse, before deadline: ContinuousClock.Instant?
    ) async throws -> Bool {
        try await nextEventBytes(events, before: deadline) != nil
    }

    private func nextEventBytes(
        _ events: HTTPResponse, before deadline: ContinuousClock.Instant?
    ) async throws -> [UInt8]? {
        guard let deadline else { return try await next(of: events) }
        let rest = deadline - .now
        guard rest > .zero else { return nil }
        var isLate = false
        let timer = EventLoop.Timer(after: rest) {
            isLate = true
            events.cancel()
        }
        defer { timer.cancel() }
        do {
            return try await next(of: events)
        } catch is CancellationError where isLate {
            return nil
        }
    }

    /// How long an engine may take to tell what it remembers.
    private static let recallTime: Duration = .seconds(2)
    private static let longestRecall = 1 << 20

    /// The exit code of the first time a container ended since `time`, where the engine
    /// remembers.
    ///
    /// A container that was started again has none in its own record.
    func firstExitCode(of id: String, since time: String) async throws -> Int? {
        guard let since = Self.unixTime(time) else { return nil }
        let events = try await events(of: id, since: since.seconds)
        let deadline = ContinuousClock.now + Self.recallTime
        var seen: [UInt8] = []
        while seen.count < Self.longestRecall,
            let bytes = try await nextEventBytes(events, before: deadline)
        {
            seen += bytes
            while let end = seen.firstIndex(of: UInt8(ascii: "\n")) {
                let event = try? JSONDecoder().decode(
                    EventDocument.self, from: Data(seen[..<end]))
                if let event, event.action == "die" { return event.exitCode }
                seen.removeSubrange(...end)
            }
        }
        return nil
    }

    /// 1795510499 s and `006668596` for `2026-11-24T08:54:59.006668596Z` (RFC 3339).
    nonisolated static func unixTime(_ text: String) -> (seconds: Int64, fraction: String)? {
        var whole = text
        var fraction = "0"
        if let dot = text.firstIndex(of: ".") {
            let digits = text[text.index(after: dot)...].prefix { $0.isASCII && $0.isNumber }
            whole = "\(text[..<dot])\(text[digits.endIndex...])"
            if !digits.isEmpty { fraction = String(digits) }
        }
        guard let date = try? Date(whole, strategy: .iso8601) else { return nil }
        return (Int64(date.timeIntervalSince1970), fraction)
    }
}
