import Glibc

/// The program's standard error.
public enum StandardError {
    /// Writes a line; that nobody reads it is no reason to fail.
    public static func write(line text: String) {
        var line = text + "\n"
        line.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
