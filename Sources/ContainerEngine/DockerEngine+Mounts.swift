import DevicePolicy
import Glibc
import PrintableText
import RuntimeAPI
import SystemIO

// A look at what a container got, after each start: also after the engine's own, which ask nobody.
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
            // At once, and so that no restart policy brings it back.
            await EventLoop.task { [self] in
                _ = try? await api.call(
                    "POST", "/containers/\(id)/stop", [("t", "0")], timeout: Self.stopTimeout)
            }.value
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
            if let source = mount.bindSource {
                paths.append(source)
            } else if let volume = mount.name, let found = try await findVolume(volume) {
                let known = KnownVolume(Volume(found), isOwn: true)
                paths += SharedFolder.all(of: ContainerSpec(), [known]).map(\.path)
            }
        }
        guard !paths.isEmpty, try await ownSpec(of: container) != nil else { return [] }
        let files = FileSystem()
        let mounts = files.mountTable()
        var expected: [ExpectedMount] = []
        for path in paths {
            guard let place = HostPath(path), HostPath(files.resolve(path)) == place,
                let source = mounts.location(of: place)
            else { throw Self.redirected(path, named: name) }
            expected.append(ExpectedMount(path: path, source: source))
        }
        return expected
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
    /// - Parameter report: called with what was found, after the container was stopped.
    /// - Returns: when no container of ours has a folder of the device.
    /// - Throws: `RuntimeError`, `.engineUnavailable` when the engine ends the stream of events.
    public func watchMounts(_ report: @EventLoop (RuntimeError) -> Void) async throws {
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
                    } else if try await containersWithFolders().isEmpty {
                        return
                    }
                }
            }
            throw RuntimeError.engineUnavailable(reason: "it ended the stream of events")
        }
    }

    /// - Returns: whether there is any container with a folder of the device.
    private func checkRunningContainers(
        _ report: @EventLoop (RuntimeError) -> Void
    ) async throws -> Bool {
        let containers = try await containersWithFolders()
        for container in containers where Self.isUp(container) {
            try await check(container.id, Self.name(container), report)
        }
        return !containers.isEmpty
    }

    private func check(
        _ id: String, _ name: String, _ report: @EventLoop (RuntimeError) -> Void
    ) async throws {
        do {
            try await checkMounts(of: id, named: name)
        } catch let error as RuntimeError {
            guard case .notPermitted = error else { throw error }
            report(error)
        }
    }

    /// Containers of ours, running or not, with a bind or a volume that may stand for a folder.
    private func containersWithFolders() async throws -> [ContainerSummary] {
        try await containerSummaries(all: true, as: MountingContainer.self)
            .filter { !($0.mounts ?? []).isEmpty && Self.ownSpec(of: $0.summary, [:]) != nil }
            .map(\.summary)
    }
}
