import CSystem
import Glibc

/// A path that is followed name by name, each folder and each symbolic link on the way judged:
/// no user but root and this process's user may be able to change what the path leads to.
///
/// Each step opens the next name in the folder that was judged before, so that nothing can be
/// exchanged between the judgement and the use.
struct TrustedPath: ~Copyable {
    /// Why a path is not trusted, or cannot be followed.
    struct Objection: Error {
        /// What it is about: a folder or a link on the way, or what the path leads to.
        var place: String
        var reason: String
        /// Whether it is about what the path leads to.
        var isFinal: Bool
    }

    /// Where the path has led so far.
    private var folder: Descriptor
    /// The same, for messages; empty for the root.
    private var place = ""
    /// Whether other users can create names in that folder, though not change existing ones.
    private var isShared = false
    /// The names to follow, the next one last.
    private var names: [String]
    private var links = 0

    /// As many as the kernel follows (path_resolution(7)).
    private static let maxLinks = 40

    private init(from folder: consuming Descriptor, _ names: [String]) {
        self.folder = folder
        self.names = names.reversed()
    }

    /// - Throws: ``Objection``.
    private static func begin(_ path: String) throws(Objection) -> TrustedPath {
        var absolute = path
        if !path.utf8.starts(with: "/".utf8) {
            guard let current = getcwd(nil, 0) else {
                throw Objection(place: ".", reason: SystemError("getcwd").reason, isFinal: false)
            }
            defer { free(current) }
            absolute = "\(String(cString: current))/\(path)"
        }
        var start = TrustedPath(from: try root(), split(absolute))
        try start.judgeFolder()
        return start
    }

    private static func root() throws(Objection) -> Descriptor {
        try step(to: "/", from: AT_FDCWD, place: "/", isFinal: false)
    }

    private static func step(
        to name: String, from folder: CInt, place: String, isFinal: Bool
    ) throws(Objection) -> Descriptor {
        do throws(SystemError) {
            return Descriptor(owning: try check("open") { cz_open_step(folder, name) })
        } catch {
            throw Objection(place: place, reason: error.reason, isFinal: isFinal)
        }
    }

    private static func split(_ path: String) -> [String] {
        // By bytes: to Swift a slash with a combining character after it is another character.
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
            .filter { $0 != "." }
    }

    /// Opens the file that a path leads to, for reading; it is not judged itself, but for what
    /// only its folder tells.
    ///
    /// - Returns: the file, which reads without waiting.
    /// - Throws: ``Objection``.
    static func openFile(_ path: String) throws(Objection) -> Descriptor {
        var walk = try begin(path)
        while let name = walk.names.popLast() {
            guard try !walk.follow(name) else { continue }
            let (folder, place) = (walk.folder.number, walk.path(of: name))
            let reason: String
            do throws(SystemError) {
                let file = Descriptor(
                    owning: try check("open") {
                        cz_open_at(folder, name, O_RDONLY | O_NONBLOCK)
                    })
                var status = stat()
                let number = file.number
                try check("fstat") { fstat(number, &status) }
                // Anybody can give a file of root's another name there, where the kernel lets them
                // (proc_sys_fs(5), protected_hardlinks).
                if !walk.isShared || status.st_nlink == 1 || status.st_mode & S_IFMT != S_IFREG {
                    return file
                }
                reason = "it has several names, and others can write to its folder: copy it"
            } catch {
                reason = error.reason
            }
            throw Objection(place: place, reason: reason, isFinal: true)
        }
        throw Objection(place: walk.place, reason: "it is not a file", isFinal: true)
    }

    /// Judges the folder that a path leads to, and those above it.
    ///
    /// - Returns: whether other users can create names in the folder.
    /// - Throws: ``Objection``.
    static func isSharedFolder(_ path: String) throws(Objection) -> Bool {
        var walk = try begin(path)
        while let name = walk.names.popLast() {
            guard try walk.follow(name) else {
                throw Objection(
                    place: walk.path(of: name), reason: "it is not a folder", isFinal: true)
            }
        }
        return walk.isShared
    }

    private func path(of name: String) -> String { "\(place)/\(name)" }

    /// Takes a step into a folder, or replaces a link by what it says.
    ///
    /// - Returns: false for the last name, when it is neither.
    private mutating func follow(_ name: String) throws(Objection) -> Bool {
        let here = path(of: name)
        let next = try Self.step(
            to: name, from: folder.number, place: here, isFinal: names.isEmpty)
        let status = try Self.status(of: next.number, here)
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            folder = next
            place =
                name == ".."
                ? String(place[..<(place.lastIndex(of: "/") ?? place.startIndex)]) : here
            try judgeFolder()
            return true
        case S_IFLNK:
            // In other folders no other user can have made it.
            if isShared, !Self.isOwn(status) {
                throw Objection(
                    place: here,
                    reason: "the link belongs to user \(status.st_uid), who could change it",
                    isFinal: false)
            }
            links += 1
            guard links <= Self.maxLinks else {
                throw Objection(
                    place: here, reason: SystemError("readlink", code: ELOOP).reason,
                    isFinal: false)
            }
            try replace(next.number, here)
            return true
        default:
            guard names.isEmpty else {
                throw Objection(
                    place: here, reason: SystemError("open", code: ENOTDIR).reason,
                    isFinal: false)
            }
            return false
        }
    }

    /// Puts what a link says in front of the names to follow.
    private mutating func replace(_ link: CInt, _ here: String) throws(Objection) {
        let target: String
        do throws(SystemError) {
            var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = try check("readlink") { readlinkat(link, "", &bytes, bytes.count) }
            target = String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        } catch {
            throw Objection(place: here, reason: error.reason, isFinal: false)
        }
        names += Self.split(target).reversed()
        guard target.utf8.starts(with: "/".utf8) else { return }
        folder = try Self.root()
        place = ""
        try judgeFolder()
    }

    private mutating func judgeFolder() throws(Objection) {
        let shown = place.isEmpty ? "/" : place
        let status = try Self.status(of: folder.number, shown)
        let writers = Self.writers(of: status, folder.number)
        // As in /tmp: no user can rename or remove what belongs to another user.
        isShared = status.st_mode & S_ISVTX != 0 && writers != nil
        let objection =
            if !Self.isOwn(status) {
                "the folder belongs to user \(status.st_uid), who could replace what is in it: "
                    + "chown root \(shown)"
            } else if !isShared, let writers {
                "\(writers.who) can write to the folder: \(writers.remedy) \(shown)"
            } else {
                nil as String?
            }
        guard let objection else { return }
        throw Objection(place: shown, reason: objection, isFinal: false)
    }

    private static func status(
        of descriptor: CInt, _ place: String
    ) throws(Objection) -> stat {
        var status = stat()
        do throws(SystemError) {
            try check("fstat") { fstat(descriptor, &status) }
        } catch {
            throw Objection(place: place, reason: error.reason, isFinal: false)
        }
        return status
    }

    /// Whether it belongs to root or to this process's user.
    static func isOwn(_ status: stat) -> Bool {
        status.st_uid == 0 || status.st_uid == geteuid()
    }

    /// Who can write to a file or folder beside its owner and the group root, and the command that
    /// changes that.
    static func writers(
        of status: stat, _ descriptor: CInt
    ) -> (who: String, remedy: String)? {
        if status.st_mode & S_IWOTH != 0 { return ("every user", "chmod o-w") }
        guard status.st_mode & S_IWGRP != 0 else { return nil }
        if status.st_gid != 0 { return ("group \(status.st_gid)", "chmod g-w") }
        // The group's bits are the most that the list grants to anybody (acl(5)).
        if cz_has_acl(descriptor) != 0 {
            return ("a user or group of its access control list", "setfacl --remove-all")
        }
        return nil
    }
}
