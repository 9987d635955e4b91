import Glibc
import PrintableText

/// The program's standard error.
public enum StandardError {
    /// Writes a line, which may quote others: it stays one line, and a terminal only shows it. A
    /// failure to write is ignored.
    public static func write(line text: String) {
        var line = printable(text, keepingTabs: true) + "\n"
        line.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
