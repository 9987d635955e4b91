import Glibc

/// The device's own file system.
public struct FileSystem: PathResolver {
    public init() {}

    public func resolve(_ path: String) -> String {
        var known = path[...]
        var rest = ""
        while true {
            if let real = realpath(known.isEmpty ? "/" : String(known), nil) {
                defer { free(real) }
                return String(cString: real) + rest
            }
            guard let slash = known.lastIndex(of: "/") else { return path }
            rest = known[slash...] + rest
            known = known[..<slash]
        }
    }
}
