import Janitor
import JSON
import SystemIO
import TextTable

/// Says what became of what, to people or to scripts.
struct CleaningReport {
    private let json: Bool
    private let verbose: Bool
    private var table = Table(["KIND", "NAME", "SIZE", "OUTCOME", "WHY"])
    private var isEmpty = true

    /// - Parameters:
    ///   - json: an object a line, at once; otherwise a table at the end.
    ///   - verbose: also what stays.
    init(json: Bool, verbose: Bool) {
        self.json = json
        self.verbose = verbose
    }

    /// - Throws: `SystemError` when nobody reads any more.
    mutating func add(_ entry: CleaningEntry) throws {
        if case .failed(let message) = entry.outcome {
            StandardError.write(
                line: "cz-janitor: \(entry.kind.rawValue) \(entry.name): \(message)")
        }
        guard verbose || entry.outcome != .kept else { return }
        guard json else {
            isEmpty = false
            let why = entry.outcome.message.map { "\(entry.explanation); \($0)" }
            table.add([
                entry.kind.rawValue, entry.name, entry.size.map(ByteCount.text) ?? "-",
                entry.outcome.code, why ?? entry.explanation,
            ])
            return
        }
        var fields: [String: JSONValue] = [
            "kind": .string(entry.kind.rawValue), "name": .string(entry.name),
            "outcome": .string(entry.outcome.code), "reason": .string(entry.reason),
            "why": .string(entry.explanation),
        ]
        if let id = entry.id { fields["id"] = .string(id) }
        if let size = entry.size { fields["size"] = .int(size) }
        if let message = entry.outcome.message { fields["message"] = .string(message) }
        try write(fields)
    }

    /// - Throws: `SystemError` when nobody reads any more.
    func finish(_ summary: CleaningSummary) throws {
        guard json else {
            if !isEmpty { try StandardOutput.write(table.text) }
            if isEmpty, summary.runtimeFailure != nil { return }
            return try StandardOutput.write("\(Self.totals(summary))\n")
        }
        var removed: [String: JSONValue] = [:]
        for (kind, count) in summary.removed { removed[kind.rawValue] = .int(Int64(count)) }
        var totals: [String: JSONValue] = [
            "dryRun": .bool(summary.isDryRun), "removed": .object(removed),
            "reclaimed": .int(summary.reclaimed), "kept": .int(Int64(summary.kept)),
            "needed": .int(Int64(summary.needed)), "failed": .int(Int64(summary.failed)),
        ]
        if let reached = summary.reachedLowWater { totals["reachedLowWater"] = .bool(reached) }
        try write(["summary": .object(totals)])
    }

    private static func totals(_ summary: CleaningSummary) -> String {
        let counts = CleaningEntry.Kind.allCases.compactMap { kind in
            summary.removed[kind].map { "\($0) \(kind.rawValue)\($0 == 1 ? "" : "s")" }
        }
        var text =
            counts.isEmpty
            ? "nothing \(summary.isDryRun ? "to remove" : "removed")"
            : "\(summary.isDryRun ? "would remove" : "removed") \(counts.joined(separator: ", ")) "
                + "(\(ByteCount.text(summary.reclaimed)))"
        if summary.failed > 0 { text += ", \(summary.failed) failed" }
        switch summary.reachedLowWater {
        case true?:
            text += "; the storage is below its low-water mark \(summary.isDryRun ? "then" : "now")"
        case false?: text += "; the storage stays above its low-water mark"
        case nil: break
        }
        return text
    }

    private func write(_ fields: [String: JSONValue]) throws {
        try StandardOutput.write(try JSONValue.object(fields).text + "\n")
    }
}
