import Glibc

/// The file system, as far as a policy has to know it.
public protocol PathResolver: Sendable {
    /// The path without symbolic links; what of it does not exist is left as it is.
    func resolve(_ path: String) -> String
}

/// The device's own file system.
public struct FileSystem: PathResolver {
    public init() {}

    public func resolve(_ path: String) -> String {
        var known = path.utf8[...]
        var rest = ""
        while true {
            if let real = realpath(known.isEmpty ? "/" : String(Substring(known)), nil) {
                defer { free(real) }
                return String(cString: real) + rest
            }
            guard let slash = known.lastIndex(of: UInt8(ascii: "/")) else { return path }
            rest = Substring(known[slash...]) + rest
            known = known[..<slash]
        }
    }
}
