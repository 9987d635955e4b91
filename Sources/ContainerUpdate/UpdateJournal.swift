import FoundationEssentials
import Glibc
import SystemIO

/// The records of updates, a file for each instance, written so that a power cut leaves the one
/// before or the one after. Whoever writes one waits until it is on the disk; nobody else does.
@EventLoop
public final class UpdateJournal {
    private let folder: Folder
    /// As they are on the disk.
    private(set) var records: [String: UpdateRecord] = [:]
    /// Files that hold no record as this program writes them, and why. They are left as they are.
    private(set) var unreadable: [(file: String, reason: any Error)] = []
    /// Of two changes the later one has to win.
    private let turns = Turns()

    private static let suffix = ".json"

    private struct Misplaced: Error, CustomStringConvertible {
        let instance: String
        var description: String { "it is the record of '\(instance)'" }
    }

    /// Reads what there is.
    ///
    /// - Parameter folder: made when it is missing.
    /// - Throws: `SystemError`.
    public init(_ folder: String) throws(SystemError) {
        self.folder = try Folder(making: folder, mode: 0o700)
        for name in try self.folder.names() {
            guard name.hasSuffix(Self.suffix) else { continue }
            do {
                let data = try Data(contentsOf: URL(filePath: "\(folder)/\(name)"))
                let record = try JSONDecoder().decode(UpdateRecord.self, from: data)
                guard "\(record.instance)\(Self.suffix)" == name else {
                    throw Misplaced(instance: record.instance)
                }
                records[record.instance] = record
            } catch {
                unreadable.append((name, error))
            }
        }
    }

    /// Puts a record in place of the one before, on the disk as well.
    func write(_ record: UpdateRecord) async throws {
        try await turns.take { try await put(record) }
    }

    /// Changes the record of an update that has ended; one of an update under way is left. Where
    /// that cannot be written it is true until this process ends.
    func change(
        _ instance: String, _ change: @EventLoop (inout UpdateRecord) -> Void
    ) async throws {
        try await turns.take {
            guard var record = records[instance], !record.isUnfinished else { return }
            change(&record)
            do {
                try await put(record)
            } catch {
                records[instance] = record
                throw error
            }
        }
    }

    /// Removes the record of an update that has ended.
    func forget(_ instance: String) async throws {
        // Asked in its turn: the next update may have begun meanwhile.
        try await turns.take {
            guard let record = records[instance], !record.isUnfinished else { return }
            let (folder, path) = (folder, "\(folder.path)/\(instance)\(Self.suffix)")
            try await onDisk {
                try check("unlink", on: path) { unlink(path) }
                try folder.synchronise()
            }
            records[instance] = nil
        }
    }

    private func put(_ record: UpdateRecord) async throws {
        let (folder, name) = (folder, "\(record.instance)\(Self.suffix)")
        let bytes = Array(try JSONEncoder().encode(record))
        let before = try records[record.instance].map { Array(try JSONEncoder().encode($0)) }
        try await onDisk {
            do {
                try folder.replace(name, with: bytes)
            } catch {
                // It may have failed with the new one in place already, which nobody knows of. On
                // a disk where that cannot be put right either there is nothing left to try.
                if let before {
                    try? folder.replace(name, with: before)
                } else {
                    unlink("\(folder.path)/\(name)")
                }
                throw error
            }
        }
        records[record.instance] = record
    }

    /// A disk may take its time, which nobody else's calls should have to wait for.
    private func onDisk(_ body: @escaping @Sendable () throws -> Void) async throws {
        try await withOwnThread(named: "journal", body)
    }
}
