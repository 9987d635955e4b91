import CArchive

/// libarchive's entries, whose texts are in UTF-8 in pax archives and any bytes in older ones.
extension OpaquePointer {
    var name: String {
        Self.text(archive_entry_pathname_utf8(self) ?? archive_entry_pathname(self))
    }

    var hardlink: String? {
        guard let target = archive_entry_hardlink_utf8(self) ?? archive_entry_hardlink(self)
        else { return nil }
        return Self.text(target)
    }

    var symlink: String {
        Self.text(archive_entry_symlink_utf8(self) ?? archive_entry_symlink(self))
    }

    private static func text(_ text: UnsafePointer<CChar>?) -> String {
        text.map { String(cString: $0) } ?? ""
    }
}
