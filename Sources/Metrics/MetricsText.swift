/// Metrics in Prometheus's text format.
public struct MetricsText: Hashable, Sendable {
    /// What has been added so far.
    public private(set) var text = ""
    private let prefix: String

    /// What a metric is.
    public enum Kind: String, Sendable {
        /// Grows from the start of the process.
        case counter
        /// Goes up and down.
        case gauge
    }

    /// A value of a metric, and which one of several it is.
    public struct Sample: Hashable, Sendable {
        fileprivate var value: String
        fileprivate var labels: String

        /// - Parameter labels: names and values, to be written in this order.
        public init(_ value: some BinaryInteger, _ labels: KeyValuePairs<String, String> = [:]) {
            self.init(text: "\(value)", labels)
        }

        public init(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) {
            self.init(text: "\(value)", labels)
        }

        /// 1 for true.
        public init(_ value: Bool, _ labels: KeyValuePairs<String, String> = [:]) {
            self.init(text: value ? "1" : "0", labels)
        }

        private init(text: String, _ labels: KeyValuePairs<String, String>) {
            value = text
            let pairs = labels.map { #"\#($0.key)="\#(escaped($0.value, quotes: true))""# }
            self.labels = pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
        }
    }

    /// - Parameter prefix: put before the name of each metric.
    public init(prefix: String) { self.prefix = prefix }

    /// Adds a metric; without samples there is nothing to say of it.
    public mutating func add(_ kind: Kind, _ name: String, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(prefix)\(name) \(escaped(help, quotes: false))\n"
        text += "# TYPE \(prefix)\(name) \(kind.rawValue)\n"
        for sample in samples { text += "\(prefix)\(name)\(sample.labels) \(sample.value)\n" }
    }

    /// Adds a metric that has one value.
    public mutating func add(_ kind: Kind, _ name: String, _ help: String, _ sample: Sample) {
        add(kind, name, help, [sample])
    }
}

/// By scalars, since a Character may be more than the one that has to be escaped.
private func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": result += #"\\"#
        case "\n": result += #"\n"#
        case "\"" where quotes: result += #"\""#
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
