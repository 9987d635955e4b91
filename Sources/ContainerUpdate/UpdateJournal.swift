import FoundationEssentials
import Glibc
import SystemIO

/// The records of updates, a file for each instance, written so that a power cut leaves the one
/// before or the one after.
@EventLoop
public final class UpdateJournal {
    private let folder: Folder
    private(set) var records: [String: UpdateRecord] = [:]

    private static let suffix = ".json"

    /// Reads what there is.
    ///
    /// - Parameter folder: made when it is missing.
    /// - Throws: `SystemError`.
    public init(_ folder: String) throws(SystemError) {
        self.folder = try Folder(making: folder, mode: 0o700)
        for name in try self.folder.names() {
            guard name.hasSuffix(Self.suffix) else { continue }
            let data = try? Data(contentsOf: URL(filePath: "\(folder)/\(name)"))
            // A file that we did not write is nobody's update.
            guard let data, let record = try? JSONDecoder().decode(UpdateRecord.self, from: data),
                "\(record.instance)\(Self.suffix)" == name
            else { continue }
            records[record.instance] = record
        }
    }

    /// Puts a record in place of the one before, on the disk as well.
    func write(_ record: UpdateRecord) throws {
        try folder.replace(
            "\(record.instance)\(Self.suffix)", with: Array(try JSONEncoder().encode(record)))
        records[record.instance] = record
    }

    func remove(_ instance: String) throws {
        guard records[instance] != nil else { return }
        try check("unlink", on: path(instance)) { unlink(path(instance)) }
        try folder.synchronise()
        records[instance] = nil
    }

    private func path(_ instance: String) -> String { "\(folder.path)/\(instance)\(Self.suffix)" }
}
