import Glibc

/// How a daemon writes its log.
public enum LogFormat: String, CaseIterable, Sendable {
    /// A line a message on standard error, for people.
    case text
    /// A JSON object a line on standard error.
    case json
    /// The journal's own protocol, with a field for each piece of metadata.
    case journal

    /// The journal where standard error leads there (systemd.exec(5), JOURNAL_STREAM), else text.
    public static var suitable: LogFormat {
        guard let stream = getenv("JOURNAL_STREAM").map({ String(cString: $0) }) else {
            return .text
        }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0,
            stream == "\(status.st_dev):\(status.st_ino)"
        else { return .text }
        return .journal
    }
}
