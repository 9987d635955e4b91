import ArgumentParser

/// `KEY=VALUE` of a filter.
struct FilterArgument: ExpressibleByArgument, Sendable {
    let key: String
    let value: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        key = String(parts[0])
        value = String(parts[1])
    }
}

extension [FilterArgument] {
    /// Several values of one key are alternatives.
    var filters: [String: [String]] {
        Dictionary(map { ($0.key, [$0.value]) }, uniquingKeysWith: +)
    }
}
