import ArgumentParser
import OCI

/// `NAME` or `NAME:TAG`.
struct ImageArgument: ExpressibleByArgument, Sendable, CustomStringConvertible {
    let name: String
    let tag: String

    init?(argument: String) {
        guard let reference = try? ImageReference(parsing: argument), reference.digest == nil else {
            return nil
        }
        name = reference.repository
        tag = reference.tag ?? ImageReference.defaultTag
    }

    var description: String { "\(name):\(tag)" }
}

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
