/// A file or folder by its file system and its path there. Mounts and symbolic links do not change
/// it, so that one folder has one location under all of its names.
public struct FileLocation: Codable, Hashable, Sendable, CustomStringConvertible {
    /// `MAJOR:MINOR` of the file system, as in /proc/PID/mountinfo.
    public var device: String
    /// The path from the root of the file system.
    public var path: HostPath

    public var description: String { "\(path) of file system \(device)" }

    /// Whether it is `other` or below it.
    func isWithin(_ other: FileLocation) -> Bool {
        device == other.device && path.isWithin(other.path)
    }
}

/// The mounts of a process, as /proc/PID/mountinfo lists them (proc_pid_mountinfo(5)).
public struct MountTable: Hashable, Sendable {
    /// A line of the list.
    struct Mount: Hashable, Sendable {
        var id: Int
        /// The id of the mount that this one is mounted on.
        var parent: Int
        /// What is mounted.
        var source: FileLocation
        var point: HostPath
        var isReadOnly: Bool
        /// The folders that an overlay shows as one; empty for every other type.
        var layers: [HostPath] = []
    }

    let mounts: [Mount]
    private let root: Mount?

    /// - Parameter text: the content of a mountinfo file; lines that are not understood are left
    ///   out.
    public init(parsing text: [UInt8]) {
        self.init(text.split(separator: UInt8(ascii: "\n")).compactMap(Self.mount))
    }

    init(_ mounts: [Mount]) {
        self.mounts = mounts
        let ids = Set(mounts.map(\.id))
        root = mounts.last {
            $0.point.isRoot && ($0.parent == $0.id || !ids.contains($0.parent))
        }
    }

    /// Where a path leads, nil where the list does not tell.
    ///
    /// - Parameter path: without symbolic links.
    public func location(of path: HostPath) -> FileLocation? {
        guard var mount = root else { return nil }
        // Each step goes one mount deeper; the bound is for a list that is not the kernel's.
        for _ in mounts.indices {
            guard let next = child(of: mount, towards: path) else { break }
            mount = next
        }
        return FileLocation(
            device: mount.source.device,
            path: mount.source.path.appending(path.relative(to: mount.point)))
    }

    /// What is mounted at a path; the topmost mount where several are.
    public func source(mountedAt path: HostPath) -> FileLocation? {
        mounts.last { $0.point == path }?.source
    }

    /// How often something is mounted.
    public func count(of source: FileLocation) -> Int {
        mounts.count { $0.source == source }
    }

    /// The mounts below a path.
    func mounts(below path: HostPath) -> [Mount] {
        mounts.filter { $0.point != path && $0.point.isWithin(path) }
    }

    /// Everything that a container which has a folder can change: the folder, what is mounted below
    /// it, and overlays that show any of that.
    func territory(of path: HostPath) -> [FileLocation] {
        var territory = mounts(below: path).map(\.source)
        if let location = location(of: path) { territory.append(location) }
        for overlay in mounts where !overlay.layers.isEmpty {
            // Layers of the root were mounted before it, and their paths mean something else now.
            let layers = overlay.layers.compactMap(location(of:))
                .filter { $0.device != overlay.source.device }
            if layers.contains(where: { layer in
                territory.contains { layer.isWithin($0) || $0.isWithin(layer) }
            }) {
                territory.append(overlay.source)
            }
        }
        return territory
    }

    /// The mount that a walk along the path meets first. A mount at a deeper point of the same
    /// parent is hidden below it.
    private func child(of parent: Mount, towards path: HostPath) -> Mount? {
        var found: Mount?
        for mount in mounts
        where mount.parent == parent.id && mount.id != parent.id && path.isWithin(mount.point) {
            if let found, found.point.depth < mount.point.depth { continue }
            found = mount
        }
        return found
    }

    /// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw`
    private static func mount(_ line: ArraySlice<UInt8>) -> Mount? {
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 6)
        guard fields.count > 5, let id = Int(String(decoding: fields[0], as: UTF8.self)),
            let parent = Int(String(decoding: fields[1], as: UTF8.self)),
            let source = HostPath(unescaped(fields[3])), let point = HostPath(unescaped(fields[4]))
        else { return nil }
        let options = fields[5].split(separator: UInt8(ascii: ","))
        return Mount(
            id: id, parent: parent,
            source: FileLocation(
                device: String(decoding: fields[2], as: UTF8.self), path: source),
            point: point, isReadOnly: options.contains { $0.elementsEqual("ro".utf8) },
            layers: fields.count > 6 ? layers(fields[6]) : [])
    }

    /// - Parameter rest: the optional fields, a dash, the type, the source and the options of the
    ///   file system.
    private static func layers(_ rest: ArraySlice<UInt8>) -> [HostPath] {
        let fields = rest.split(separator: UInt8(ascii: " "))
        guard let dash = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }),
            fields.count > dash + 3, fields[dash + 1].elementsEqual("overlay".utf8)
        else { return [] }
        var layers: [HostPath] = []
        for option in fields[dash + 3].split(separator: UInt8(ascii: ",")) {
            let parts = option.split(separator: UInt8(ascii: "="), maxSplits: 1)
            guard parts.count == 2, String(decoding: parts[0], as: UTF8.self).contains("dir") else {
                continue
            }
            layers += unescaped(parts[1]).split(separator: UInt8(ascii: ":"))
                .compactMap { HostPath(Array($0)) }
        }
        return layers
    }

    /// The kernel writes spaces, tabs, line ends and backslashes as a backslash and three octal
    /// digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
