import Glibc

/// Where cz-runtime serves.
public enum RuntimeSocket {
    /// When nobody says otherwise.
    public static let usual = "/run/containerz/runtime.sock"
    /// What programs that people run look it up in.
    public static let variable = "CZ_RUNTIME_SOCKET"

    /// That of the environment, or the usual one.
    public static var current: String { getenv(variable).map { String(cString: $0) } ?? usual }
}
