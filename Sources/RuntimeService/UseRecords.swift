import FoundationEssentials
import Glibc
import JSON
import Logging
import SystemIO

/// When images were used last and what was brought here through us, which no engine remembers. In
/// a file, so that it survives restarts; what is in memory gets there a moment later.
@EventLoop
public final class UseRecords {
    struct ImageRecord: Codable, Hashable {
        /// In seconds since 1970.
        var lastUsed: Int64
        /// Whether it was loaded through us.
        var managed: Bool
        /// Whether it can be fetched again.
        var fetched: Bool
    }

    private struct Document: Codable, Sendable {
        var images: [String: ImageRecord] = [:]
        /// Volumes that the engine made up for containers of ours: when they were seen last.
        var volumes: [String: Int64] = [:]
    }

    private nonisolated static let file = "use.json"
    /// More than any device has; then what was used longest ago is forgotten.
    static let most = 4096
    /// 2024: before that a device's clock has not been set yet, and no age follows from it.
    static let earliestTime: Int64 = 1_704_067_200

    private let folder: Folder
    private let logger: Logger
    private let clock: @EventLoop () -> Int64
    private var document = Document()
    /// Whether the file has not got all of it.
    private var isStale = false
    private var writing: Task<Void, Never>?

    /// - Parameters:
    ///   - folder: made when it is missing.
    ///   - clock: seconds since 1970.
    /// - Throws: `SystemError`.
    public init(
        _ folder: String, logger: Logger,
        clock: @escaping @EventLoop () -> Int64 = { Int64(Date.now.timeIntervalSince1970) }
    ) throws(SystemError) {
        self.folder = try Folder(making: folder, mode: 0o755)
        self.logger = logger
        self.clock = clock
        guard let data = try? Data(contentsOf: URL(filePath: "\(folder)/\(Self.file)")) else {
            return
        }
        do {
            document = try JSONDecoder().decode(Document.self, from: data)
        } catch {
            // What is not known to be ours is left alone, so nothing is lost by it.
            logger.warning(
                "the record of what was used when is damaged, and begins anew",
                metadata: ["file": "\(folder)/\(Self.file)"])
        }
    }

    /// What is known of an image; nil for one that was never seen.
    func image(_ id: String) -> ImageRecord? { document.images[id] }

    func isManaged(volume: String) -> Bool { document.volumes[volume] != nil }

    /// Images were put to use.
    func used(_ ids: Set<String>) {
        let now = clock()
        for id in ids {
            document.images[
                id, default: ImageRecord(lastUsed: now, managed: false, fetched: false)
            ].lastUsed = now
        }
        write()
    }

    /// Images came in through us.
    func loaded(_ ids: Set<String>, fetched: Bool) {
        let now = clock()
        for id in ids {
            // What could be fetched once can be again, whoever pushed it since.
            let before = document.images[id]?.fetched ?? false
            document.images[id] = ImageRecord(
                lastUsed: now, managed: true, fetched: fetched || before)
        }
        write()
    }

    /// Takes note of everything there is.
    ///
    /// - Parameters:
    ///   - images: all of them, and whether a container uses it.
    ///   - volumes: all of them, and whether a container of ours mounts one that the engine made
    ///     up for it.
    ///   - time: when the engine was asked, in seconds since 1970: what was used since then need
    ///     not be among them.
    func surveyed(images: [String: Bool], volumes: [String: Bool], asOf time: Int64) {
        let now = clock()
        for (id, isUsed) in images {
            var record =
                document.images[id]
                ?? ImageRecord(lastUsed: now, managed: false, fetched: false)
            if isUsed || record.lastUsed > now || record.lastUsed < Self.earliestTime {
                record.lastUsed = now
            }
            document.images[id] = record
        }
        for (id, record) in document.images where images[id] == nil && record.lastUsed < time {
            document.images[id] = nil
        }
        for (name, isOurs) in volumes where isOurs { document.volumes[name] = now }
        for (name, seen) in document.volumes where volumes[name] == nil && seen < time {
            document.volumes[name] = nil
        }
        write()
    }

    var time: Int64 { clock() }

    private func write() {
        while document.images.count > Self.most,
            let oldest = document.images.min(by: { $0.value.lastUsed < $1.value.lastUsed })
        {
            document.images[oldest.key] = nil
        }
        while document.volumes.count > Self.most,
            let oldest = document.volumes.min(by: { $0.value < $1.value })
        {
            document.volumes[oldest.key] = nil
        }
        isStale = true
        guard writing == nil else { return }
        writing = EventLoop.task { [self] in
            // What comes while it is written is written next, all of it at once.
            while isStale {
                isStale = false
                await replaceFile()
            }
            writing = nil
        }
    }

    /// Waits until the file has what is known now.
    public func flush() async { await writing?.value }

    private func replaceFile() async {
        let (folder, document) = (folder, document)
        do {
            // A disk may take its time, which nobody's calls should have to wait for.
            try await withOwnThread(named: "use") {
                try folder.replace(Self.file, with: Array(try CanonicalJSON.encode(document)))
            }
        } catch {
            // It is still right in memory, and the next time writes all of it.
            logger.warning(
                "what was used when cannot be written down", metadata: ["reason": "\(error)"])
        }
    }
}
