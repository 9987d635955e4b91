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
    /// The exit code of the first time a container ended since `time`, where the engine
    /// remembers.
    ///
    /// A container that was started again has none in its own record.
    func firstExitCode(of id: String, since time: String) async throws -> Int? {
        guard let since = Self.unixTime(time) else { return nil }
        let events = try await events(of: id, since: since.seconds)
        let deadline = ContinuousClock.now + Self.recallTime
        var lines = EventLines()
        while let bytes = try await nextEventBytes(events, before: deadline) {
            for event in try lines.take(bytes) where event.action == "die" {
                return event.exitCode
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

/// Cuts a stream of events into its lines.
struct EventLines {
    /// Far more than an event has, even with the largest labels.
    private static let maximumLine = 16 << 20

    private var rest: [UInt8] = []

    /// - Returns: the events that are complete by now; a line that is none is left out.
    /// - Throws: `RuntimeError.engineFailed` for a line without an end.
    mutating func take(_ bytes: [UInt8]) throws(RuntimeError) -> [EventDocument] {
        rest += bytes
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else {
            guard rest.count <= Self.maximumLine else {
                throw .engineFailed(reason: "an event has more than \(Self.maximumLine) bytes")
            }
            return []
        }
        let lines = rest[..<end].split(separator: UInt8(ascii: "\n"))
        defer { rest.removeSubrange(...end) }
        return lines.compactMap {
            try? JSONDecoder().decode(EventDocument.self, from: Data($0))
        }
    }
}
