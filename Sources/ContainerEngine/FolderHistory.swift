import DevicePolicy
import FoundationEssentials
import Glibc
import RuntimeAPI
import SystemIO

/// What containers have had of the device, in a file of the state folder.
@EventLoop
public final class FolderHistory {
    private struct Document: Codable, Sendable {
        var folders: [PastFolder] = []
        /// Volumes that no container has mounted yet.
        var freshVolumes: Set<String> = []
    }

    private nonisolated static let file = "folders.json"
    /// Beyond that the folders of earlier boots are forgotten, and then the oldest.
    private static let maximumFolders = 4096
    private static let maximumVolumes = 4096

    /// nil for a history that is kept in memory alone.
    private let folder: Folder?
    /// The boot id of the device.
    let boot: String
    private var document = Document()
    private let turns = Turns()

    /// - Parameter folder: made when it is missing; nil to keep nothing.
    /// - Throws: `SystemError`.
    public init(_ folder: String?) throws(SystemError) {
        self.folder = if let folder { try Folder(making: folder, mode: 0o755) } else { nil }
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        boot = text.map { String($0.prefix { !$0.isWhitespace }) } ?? "unknown"
        guard let folder, let data = try? Data(contentsOf: URL(filePath: "\(folder)/\(Self.file)"))
        else { return }
        // A damaged file is replaced with the next folder.
        document = (try? JSONDecoder().decode(Document.self, from: data)) ?? Document()
    }

    var folders: [PastFolder] { document.folders }

    /// Notes folders before a container gets them.
    ///
    /// - Throws: `RuntimeError.insufficientStorage` or `.engineFailed` when that cannot be written.
    func note(_ paths: [String]) async throws {
        var changed = document
        for path in Set(paths) {
            let folder = PastFolder(path, boot: boot)
            guard !changed.folders.contains(folder) else { continue }
            changed.folders.removeAll { $0.path == folder.path && $0.boot != boot }
            changed.folders.append(folder)
        }
        if changed.folders.count > Self.maximumFolders {
            let current = changed.folders.filter { $0.boot == boot }
            changed.folders = Array(current.suffix(Self.maximumFolders))
        }
        try await replace(with: changed)
    }

    /// No container runs, so that none has a descriptor of a folder any more.
    func noContainerRuns() async throws {
        var changed = document
        for index in changed.folders.indices { changed.folders[index].boot = "" }
        changed.folders = Array(Set(changed.folders)).sorted { $0.path < $1.path }
        try await replace(with: changed)
    }

    /// A volume was created.
    func created(volume name: String) async throws {
        var changed = document
        if changed.freshVolumes.count >= Self.maximumVolumes { changed.freshVolumes.removeFirst() }
        changed.freshVolumes.insert(name)
        try await replace(with: changed)
    }

    /// Volumes are about to be mounted.
    ///
    /// - Returns: those that no container has mounted before.
    func mount(volumes names: Set<String>) async throws -> Set<String> {
        let fresh = document.freshVolumes.intersection(names)
        guard !fresh.isEmpty else { return [] }
        var changed = document
        changed.freshVolumes.subtract(fresh)
        try await replace(with: changed)
        return fresh
    }

    /// The container that was to mount them does not exist.
    func didNotMount(volumes names: Set<String>) async throws {
        guard !names.isEmpty else { return }
        var changed = document
        changed.freshVolumes.formUnion(names)
        try await replace(with: changed)
    }

    private func replace(with changed: Document) async throws {
        try await turns.take {
            guard
                changed.folders != document.folders
                    || changed.freshVolumes != document.freshVolumes
            else { return }
            if let folder {
                do {
                    let bytes = Array(try JSONEncoder().encode(changed))
                    // A disk may take its time, which no other call should wait for.
                    try await withOwnThread(named: "folders") {
                        try folder.replace(Self.file, with: bytes)
                    }
                } catch let error as SystemError {
                    let place = "\(folder.path)/\(Self.file) cannot be written: \(error.reason)"
                    if error.code == ENOSPC || error.code == EDQUOT {
                        throw RuntimeError.insufficientStorage(reason: place)
                    }
                    throw RuntimeError.engineFailed(reason: place)
                }
            }
            document = changed
        }
    }
}
