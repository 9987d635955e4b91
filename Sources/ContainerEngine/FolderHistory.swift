import DevicePolicy
import FoundationEssentials
import Glibc
import RuntimeAPI
import SystemIO

/// What containers have had of the device, in a file of the state folder.
@EventLoop
public final class FolderHistory {
    private struct Document: Codable, Equatable, Sendable {
        var folders: [PastFolder] = []
        /// Volumes that no container has mounted yet.
        var freshVolumes: Set<String> = []
    }

    private nonisolated static let file = "folders.json"
    /// Beyond that no container gets another folder until none runs.
    private static let maximumFolders = 4096
    private static let maximumVolumes = 4096

    /// nil for a history that is kept in memory alone.
    private let folder: Folder?
    /// The boot id of the device.
    let boot: String
    private var document = Document()
    /// Why the file could not be read; nil when it could, or was replaced.
    private var loss: String?
    private let turns = Turns()

    /// - Parameter folder: made when it is missing; nil to keep nothing.
    /// - Throws: `SystemError`.
    public init(_ folder: String?) throws(SystemError) {
        self.folder = if let folder { try Folder(making: folder, mode: 0o755) } else { nil }
        let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        boot = text.map { String($0.prefix { !$0.isWhitespace }) } ?? "unknown"
        guard let folder else { return }
        let path = "\(folder)/\(Self.file)"
        guard access(path, F_OK) == 0 || errno != ENOENT else { return }
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            document = try JSONDecoder().decode(Document.self, from: data)
        } catch {
            loss = path
        }
    }

    /// - Throws: `RuntimeError.notPermitted` when the file is damaged: any folder may have been had.
    func folders() throws(RuntimeError) -> [PastFolder] {
        if let loss {
            throw .notPermitted(
                rule: "hostPaths.deny",
                reason: "\(loss), which has the folders that containers had, is damaged; stop all "
                    + "containers first")
        }
        return document.folders
    }

    /// Notes folders before a container gets them.
    ///
    /// - Throws: `RuntimeError.insufficientStorage` or `.engineFailed` when that cannot be written.
    func note(_ paths: [String]) async throws {
        let mounts = FileSystem().mountTable()
        let noted = Set(paths).map { PastFolder($0, boot: boot, mounts) }
        try await change { document in
            let known = Set(document.folders)
            let new = noted.filter { !known.contains($0) }
            guard !new.isEmpty else { return }
            let paths = Set(new.map(\.path))
            document.folders.removeAll { paths.contains($0.path) && $0.boot != boot }
            if document.folders.count + new.count > Self.maximumFolders {
                document.folders.removeAll { $0.boot != boot }
            }
            guard document.folders.count + new.count <= Self.maximumFolders else {
                throw RuntimeError.insufficientStorage(
                    reason:
                        "containers have had \(Self.maximumFolders) folders of the device since "
                        + "one was started; stop all containers first")
            }
            document.folders += new
        }
    }

    /// No container runs, so that none has a descriptor of a folder any more.
    func noContainerRuns() async throws {
        if loss != nil { document = Document() }
        try await change { document in
            for index in document.folders.indices { document.folders[index].boot = "" }
            document.folders = Array(Set(document.folders)).sorted { $0.path < $1.path }
        }
        loss = nil
    }

    /// A volume was created.
    func created(volume name: String) async throws {
        try await change { document in
            if document.freshVolumes.count >= Self.maximumVolumes {
                document.freshVolumes.removeFirst()
            }
            document.freshVolumes.insert(name)
        }
    }

    /// Volumes are about to be mounted.
    ///
    /// - Returns: those that no container has mounted before.
    func mount(volumes names: Set<String>) async throws -> Set<String> {
        guard !document.freshVolumes.isDisjoint(with: names) else { return [] }
        return try await change { document in
            let fresh = document.freshVolumes.intersection(names)
            document.freshVolumes.subtract(fresh)
            return fresh
        }
    }

    /// The container that was to mount them does not exist.
    func didNotMount(volumes names: Set<String>) async throws {
        guard !names.isEmpty else { return }
        try await change { $0.freshVolumes.formUnion(names) }
    }

    /// Changes the document, one change at a time, and writes it before it counts.
    @discardableResult
    private func change<Result: Sendable>(
        _ edit: @EventLoop (inout Document) throws -> Result
    ) async throws -> Result {
        try await turns.take {
            var changed = document
            let result = try edit(&changed)
            guard changed != document else { return result }
            try await write(changed)
            document = changed
            return result
        }
    }

    private func write(_ document: Document) async throws {
        guard let folder else { return }
        do {
            let bytes = Array(try JSONEncoder().encode(document))
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
}
