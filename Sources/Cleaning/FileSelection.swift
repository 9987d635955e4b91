/// A file of a cache or of a store.
public struct StoredFile: Hashable, Sendable {
    public var path: String
    /// In bytes.
    public var size: Int64
    /// When it was written or used last, in seconds since 1970.
    public var modified: Int64

    public init(path: String, size: Int64, modified: Int64) {
        self.path = path
        self.size = size
        self.modified = modified
    }
}

/// Which files go.
public enum FileSelection {
    /// Whoever still writes a file does so at least this often, in seconds.
    public static let abandonedAfter: Int64 = 86400

    /// What has to go for the rest to fit, the longest unused first.
    public static func exceeding(_ limit: Int64, _ files: [StoredFile]) -> [StoredFile] {
        var total = files.reduce(0) { $0 + $1.size }
        var taken: [StoredFile] = []
        for file in files.sorted(by: { ($0.modified, $0.path) < ($1.modified, $1.path) }) {
            guard total > limit else { break }
            total -= file.size
            taken.append(file)
        }
        return taken
    }

    /// What nobody has written to for a day.
    public static func abandoned(_ files: [StoredFile], now: Int64) -> [StoredFile] {
        files.filter { now - $0.modified >= abandonedAfter }
    }
}
