import PrintableText
import RuntimeAPI

/// The rule that no container can redirect a bind mount.
///
/// An engine follows the path of a bind whenever it starts the container, also by itself and after
/// a reboot. A container that can change a folder on that path can replace what is below it by a
/// symbolic link to anything. So no folder on the path to a bind's source, without the source
/// itself, may be in what any container has, or had while containers run that may have a descriptor
/// of it. Two containers may have the same folder.
///
/// Folders are compared by ``FileLocation``, since one folder may be mounted in several places. A
/// container has what is mounted below its folders as well, and a read-only bind counts like a
/// writable one: it is not read-only below such a mount.
struct FolderSeparation<Files: PathResolver> {
    private let files: Files
    private let mounts: MountTable

    init(_ files: Files) {
        self.files = files
        mounts = files.mountTable()
    }

    /// - Parameters:
    ///   - own: the folders of the container that is checked.
    ///   - others: those of all other containers, running or not.
    ///   - past: those that containers had.
    ///   - boot: the boot id of the device.
    /// - Throws: `RuntimeError.notPermitted`.
    func check(
        _ own: [SharedFolder], beside others: [SharedFolder], past: [PastFolder] = [],
        boot: String = ""
    ) throws(RuntimeError) {
        var known: [Place] = []
        for folder in own { known.append(try place(of: folder)) }
        // Many containers may have the same folder.
        var paths: Set<String> = []
        for folder in others where paths.insert(folder.path).inserted {
            known.append(try place(of: folder))
        }
        for place in known.prefix(own.count) {
            try requireReadOnlyThroughout(place)
            if let folder = past.first(where: { wasReached(place, through: $0, boot: boot) }) {
                throw Self.nested(place, inPast: folder)
            }
            for other in known {
                if place.isReached(through: other) { throw Self.nested(place, in: other) }
                if other.isReached(through: place) { throw Self.nested(other, in: place) }
            }
        }
    }

    /// The pairs of folders of which one is reached through the other, each once. A folder whose
    /// location is unknown is left out.
    func violations(among folders: [SharedFolder]) -> [RuntimeError] {
        let places = folders.compactMap { try? place(of: $0) }
        return places.flatMap { place in
            places.filter { place.isReached(through: $0) }.map { Self.nested(place, in: $0) }
        }
    }

    /// Whether a container that had a folder may still be able to redirect a place, or have
    /// redirected it where a mount hides that now.
    private func wasReached(_ place: Place, through past: PastFolder, boot: String) -> Bool {
        guard let path = HostPath(past.path) else { return false }
        guard past.boot == boot, !boot.isEmpty else {
            return mounts.mounts.contains {
                $0.point.isWithin(path) && place.path != $0.point
                    && place.path.isWithin($0.point) && !path.isRoot
            }
        }
        if place.ancestors.contains(where: { past.territory.contains(where: $0.isWithin) }) {
            return true
        }
        guard let identity = past.identity else { return false }
        return place.path.ancestors.contains { files.identity(of: "\($0)") == identity }
    }

    /// A folder with all that decides who can redirect it.
    private struct Place {
        var folder: SharedFolder
        var path: HostPath
        /// The folders on the path to it.
        var ancestors: [FileLocation]
        /// Everything that a container with the folder has.
        var territory: [FileLocation]

        func isReached(through other: Place) -> Bool {
            ancestors.contains { ancestor in other.territory.contains(where: ancestor.isWithin) }
        }
    }

    private func place(of folder: SharedFolder) throws(RuntimeError) -> Place {
        guard let path = HostPath(files.resolve(folder.path)) else {
            throw DevicePolicy.denial(
                .hostPaths, "'\(excerpt(folder.path))' is not an absolute path")
        }
        var ancestors: [FileLocation] = []
        for ancestor in path.ancestors { ancestors.append(try location(of: ancestor)) }
        _ = try location(of: path)
        // What is mounted below belongs to it even if the bind is not recursive: that depends on
        // the engine.
        return Place(
            folder: folder, path: path, ancestors: ancestors,
            territory: mounts.territory(of: path))
    }

    private func location(of path: HostPath) throws(RuntimeError) -> FileLocation {
        guard let location = mounts.location(of: path) else {
            throw DevicePolicy.denial(
                .hostPaths,
                "the file system of \(excerpt("\(path)")) is unknown, since the mounts of the "
                    + "device cannot be read")
        }
        return location
    }

    /// A bind is read-only for the mount of the folder alone, not for the mounts below it.
    private func requireReadOnlyThroughout(_ place: Place) throws(RuntimeError) {
        guard place.folder.isReadOnly, place.folder.isRecursive,
            let writable = mounts.mounts(below: place.path).first(where: { !$0.isReadOnly })
        else { return }
        throw DevicePolicy.denial(
            .hostPaths,
            "\(place.path) cannot be read-only as a whole: \(excerpt("\(writable.point)")) is "
                + "mounted below it and would be writable; bind the folders that are needed")
    }

    private static func nested(_ inner: Place, inPast outer: PastFolder) -> RuntimeError {
        DevicePolicy.denial(
            .hostPaths,
            "\(excerpt("\(inner.path)")) lies within \(excerpt(outer.path)), which another container "
                + "had: a container that runs may still be able to replace the inner folder by a link "
                + "to anything; bind the same folder or a separate one, or stop all containers first"
        )
    }

    private static func nested(_ inner: Place, in outer: Place) -> RuntimeError {
        func shown(_ place: Place) -> String {
            let holder = place.folder.holder
            let path = excerpt("\(place.path)")
            return holder.isEmpty ? path : "\(path) of container \(excerpt(holder))"
        }
        return DevicePolicy.denial(
            .hostPaths,
            "\(shown(inner)) lies within \(shown(outer)): a container that has the outer folder "
                + "could replace the inner one by a link to anything; bind the same folder, or "
                + "separate ones")
    }
}
