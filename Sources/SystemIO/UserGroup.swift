import Glibc

/// A group of the system's users.
public enum UserGroup {
    /// The group of a name, or of a number; nil when there is none of that name.
    public static func identifier(of name: String) -> gid_t? {
        var record = group()
        var found: UnsafeMutablePointer<group>?
        let known = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 << 10) {
            buffer -> gid_t? in
            guard let start = buffer.baseAddress,
                getgrnam_r(name, &record, start, buffer.count, &found) == 0, found != nil
            else { return nil }
            return record.gr_gid
        }
        return known ?? gid_t(name)
    }
}
