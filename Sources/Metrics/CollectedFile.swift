public import SystemIO

/// A file that node_exporter's textfile collector reads.
public struct CollectedFile: Hashable, Sendable {
    private let folder: String
    private let name: String

    public init(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        name = parts.last.map(String.init) ?? ""
        let above = parts.dropLast().joined(separator: "/")
        folder = path.hasPrefix("/") ? "/\(above)" : above.isEmpty ? "." : above
    }

    /// Puts the metrics in place of those before, readable for everybody.
    ///
    /// - Throws: `SystemError`.
    public func replace(with metrics: String) throws(SystemError) {
        try Folder(existing: folder).replace(name, with: Array(metrics.utf8), mode: 0o644)
    }
}
