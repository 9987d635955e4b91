import DevicePolicy
import Glibc
import PrintableText
import RuntimeAPI
import SystemIO

// A look at what a container got, after each start: also after the engine's own, which no policy
// admits.
// Admission keeps containers from redirecting binds; this finds what gets past it, such as a link
// that a program of the device has put in place.

extension DockerEngine {
    /// Starts a container, and stops it again when a folder of the device is not mounted as it was
    /// admitted.
    ///
    /// - Throws: `RuntimeError.notPermitted` when a bind leads elsewhere by now; `EngineAPI.Failure`.
    func startChecked(_ id: String, named name: String) async throws {
        if let container = try await findContainer(id) {
            _ = try await expectedMounts(of: container, named: name)
        }
        try await api.call("POST", "/containers/\(id)/start")
        try await checkMounts(of: id, named: name)
    }

    /// Compares the mounts of a running container with what its binds lead to, and stops it when
    /// they differ. Containers that are not ours are left alone.
    ///
    /// - Throws: `RuntimeError.notPermitted` when it was stopped.
    public func checkMounts(of id: String, named name: String) async throws {
        do {
            guard let container = try await findContainer(id), container.isUp,
                let pid = container.state.pid, pid > 0
            else { return }
            let expected = try await expectedMounts(of: container, named: name)
            guard !expected.isEmpty, let actual = try Self.mounts(ofProcess: pid) else { return }
            // By what is mounted, not where: the image may have links on the way to the target.
            for (source, mounts) in Dictionary(grouping: expected, by: \.source)
            where actual.count(of: source) < mounts.count {
                throw Self.redirected(mounts[0].path, named: name)
            }
        } catch let error as RuntimeError {
            guard case .notPermitted = error else { throw error }
            await stopAtOnce(id)
            throw error
        }
    }

    /// A folder of the device as a container should have it.
    private struct ExpectedMount {
        var path: String
        var source: FileLocation
    }

    /// - Throws: `RuntimeError.notPermitted` for a path that has become a link.
    private func expectedMounts(
        of container: ContainerDocument, named name: String
    ) async throws -> [ExpectedMount] {
        var paths: [String] = []
        for mount in container.mounts ?? [] {
            if let path = try await folder(of: mount) { paths.append(path) }
        }
        guard !paths.isEmpty, try await ownSpec(of: container) != nil else { return [] }
        let isResolved = container.config?.labels?[EngineLabel.resolved] != nil
        let files = FileSystem()
        let mounts = files.mountTable()
        var expected: [ExpectedMount] = []
        for path in paths {
            guard let place = HostPath(path), let real = HostPath(files.resolve(path)),
                let source = mounts.location(of: real)
            else { throw Self.redirected(path, named: name) }
            // A container of an older version may have a link on the way.
            if real != place,
                isResolved || policies.policy.deniedPath(at: source, reserved, on: files) != nil
            {
                throw Self.redirected(path, named: name)
            }
            expected.append(ExpectedMount(path: path, source: source))
        }
        return expected
    }

    /// The folder of the device that a mount is of; nil for storage of the engine's.
    private func folder(of mount: MountPoint) async throws -> String? {
        if let source = mount.bindSource { return source }
        guard let name = mount.name, let volume = try await findVolume(name) else { return nil }
        let known = KnownVolume(Volume(volume), isOwn: true)
        return SharedFolder.all(of: ContainerSpec(), [known]).first?.path
    }

    /// Looks at the mounts of a container that was started before this program. Where a path leads
    /// may have changed since, which does not change what is mounted: the container is stopped only
    /// if it has something that is denied.
    ///
    /// - Throws: `RuntimeError.notPermitted` when it was stopped.
    private func checkEarlierMounts(of holder: FolderHolder) async throws {
        guard let container = try await findContainer(holder.id), container.isUp,
            let pid = container.state.pid, pid > 0, let actual = try Self.mounts(ofProcess: pid)
        else { return }
        let files = FileSystem()
        let mounts = files.mountTable()
        for mount in container.mounts ?? [] {
            // Every other volume is in the engine's storage.
            guard let path = try await folder(of: mount), let target = HostPath(mount.destination),
                let location = actual.source(mountedAt: target)
            else { continue }
            // What is as it was admitted stays, even if a newer policy denies it.
            if let place = HostPath(path), HostPath(files.resolve(path)) == place,
                mounts.location(of: place) == location
            {
                continue
            }
            guard
                let denied = policies.policy.deniedPath(at: location, reserved, on: files)
            else { continue }
            await stopAtOnce(holder.id)
            throw RuntimeError.notPermitted(
                rule: "hostPaths.deny",
                reason: "container \(excerpt(holder.name)) had something of \(denied) mounted at "
                    + "\(excerpt(mount.destination))")
        }
    }

    /// So that no restart policy brings it back.
    private func stopAtOnce(_ id: String) async {
        await EventLoop.task { [self] in
            _ = try? await api.call(
                "POST", "/containers/\(id)/stop", [("t", "0")], timeout: Self.stopTimeout)
        }.value
    }

    /// - Returns: nil for a process that has ended.
    private static func mounts(ofProcess pid: Int32) throws(RuntimeError) -> MountTable? {
        do throws(SystemError) {
            return try FileSystem.mountTable(ofProcess: pid)
        } catch {
            if error.code == ENOENT || error.code == ESRCH || error.code == EINVAL { return nil }
            throw .notPermitted(
                rule: "hostPaths", reason: "the mounts of the container cannot be checked: \(error)"
            )
        }
    }

    private static func redirected(_ path: String, named name: String) -> RuntimeError {
        .notPermitted(
            rule: "hostPaths.deny",
            reason: "\(excerpt(path)) does not lead to where it led when container "
                + "\(excerpt(name)) was created; create the container again")
    }
}

// MARK: The engine's own starts

extension DockerEngine {
    /// Checks the mounts of all running containers of ours, and then of each container that is
    /// started, by whomever.
    ///
    /// - Parameter report: called with each finding.
    /// - Returns: when no container of ours has a folder of the device.
    /// - Throws: `RuntimeError`, `.engineUnavailable` when the engine ends the stream of events.
    public func watchMounts(_ report: @EventLoop (MountFinding) -> Void) async throws {
        try await translating {
            // First, so that no start comes between the look and the events.
            let events = try await api.open(
                "GET", "/events",
                [("filters", #"{"type":["container"],"event":["start","destroy","remove"]}"#)],
                timeout: nil)
            guard try await checkRunningContainers(report) else { return }
            var lines = EventLines()
            while let bytes = try await next(of: events) {
                for event in try lines.take(bytes) {
                    if event.action == "start", let id = event.actor.id {
                        try await check(id, event.actor.attributes?["name"] ?? id, report)
                    } else if try await ownContainersWithFolders().isEmpty {
                        return
                    }
                }
            }
            throw RuntimeError.engineUnavailable(reason: "it ended the stream of events")
        }
    }

    /// - Returns: whether there is any container with a folder of the device.
    private func checkRunningContainers(
        _ report: @EventLoop (MountFinding) -> Void
    ) async throws -> Bool {
        let containers = try await ownContainersWithFolders()
        try await history.note(containers.flatMap(\.folders).map(\.path))
        for nesting in DevicePolicy.nestings(among: containers.flatMap(\.folders)) {
            report(.nested(nesting))
        }
        for container in containers where container.isUp {
            try await reporting(to: report) { try await checkEarlierMounts(of: container) }
        }
        return !containers.isEmpty
    }

    private func check(
        _ id: String, _ name: String, _ report: @EventLoop (MountFinding) -> Void
    ) async throws {
        try await reporting(to: report) { try await checkMounts(of: id, named: name) }
    }

    /// A container that cannot be looked at must not keep the others from being looked at.
    private func reporting(
        to report: @EventLoop (MountFinding) -> Void, _ check: @EventLoop () async throws -> Void
    ) async throws {
        do {
            try await check()
        } catch let error as RuntimeError {
            switch error {
            case .notPermitted: report(.stopped(error))
            case .engineUnavailable: throw error
            default: report(.unknown("\(error)"))
            }
        } catch let failure as EngineAPI.Failure {
            report(.unknown(failure.message))
        }
    }
}

/// What a look at the mounts of containers found.
public enum MountFinding: Sendable {
    /// A container had something else than it was admitted with, and was stopped.
    case stopped(RuntimeError)
    /// Containers of an older version have folders that lie one within the other.
    case nested(RuntimeError)
    /// The mounts of a container could not be checked, and why.
    case unknown(String)
}
