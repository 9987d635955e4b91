import OCI
import PrintableText

/// The name of an archive's entry, checked: a relative path that stays inside the archive.
struct EntryName: Hashable, Sendable {
    /// Without `./` in front or a slash at the end; empty for the archive's root.
    let path: String

    /// Names of content have about 80 bytes.
    static let longest = 1024

    init(_ text: String) throws(ImageStreamError) {
        guard text.utf8.count <= Self.longest else {
            throw .unsafeEntry(excerpt(text), reason: "has too long a name")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw .unsafeEntry(text, reason: "has a control character in its name")
        }
        guard text.utf8.first != UInt8(ascii: "/") else {
            throw .unsafeEntry(text, reason: "has an absolute path")
        }
        let parts = Self.parts(text).filter { $0 != "." }
        guard !parts.contains("..") else {
            throw .unsafeEntry(text, reason: "leads out of its directory")
        }
        path = parts.joined(separator: "/")
    }

    private init(path: String) { self.path = path }

    /// By bytes: to Swift a slash with a combining character after it is another character.
    private static func parts(_ text: String) -> [Substring] {
        text.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
    }

    /// What a symbolic link of this name means: its target is relative to where the link is.
    func following(_ target: String) throws(ImageStreamError) -> EntryName {
        guard target.utf8.first != UInt8(ascii: "/"), target.utf8.count <= Self.longest else {
            throw .unsafeEntry(path, reason: "is a link out of the archive")
        }
        var parts = Self.parts(path).dropLast()
        for part in Self.parts(target) where part != "." {
            if part != ".." {
                parts.append(part)
            } else if parts.popLast() == nil {
                throw .unsafeEntry(path, reason: "is a link out of the archive")
            }
        }
        return EntryName(path: parts.joined(separator: "/"))
    }

    /// The digest that the name promises, `blobs/sha256/…`.
    var digest: Digest? {
        let parts = path.split(separator: "/")
        guard parts.count == 3, parts[0] == "blobs",
            let algorithm = Digest.Algorithm(rawValue: String(parts[1]))
        else { return nil }
        return Digest(algorithm, hexadecimal: parts[2])
    }
}

extension EntryName: CustomStringConvertible {
    var description: String { path }
}
