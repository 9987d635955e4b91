import Glibc

/// Standard output, whole and at once.
public enum StandardOutput {
    /// - Throws: `SystemError`, say EPIPE when nobody reads any more.
    public static func write(_ text: String) throws(SystemError) {
        try write(Array(text.utf8))
    }

    public static func write(_ bytes: [UInt8]) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            offset += try check("write", on: "standard output") {
                bytes[offset...].withUnsafeBytes {
                    Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
                }
            }
        }
    }
}
