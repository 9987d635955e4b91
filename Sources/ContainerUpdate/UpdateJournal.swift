import FoundationEssentials
import Glibc
import SystemIO

/// The records of updates, a file for each instance, written so that a power cut leaves the one
/// before or the one after.
@EventLoop
public final class UpdateJournal {
    private let folder: String
    private(set) var records: [String: UpdateRecord] = [:]

    private static let suffix = ".json"

    /// Reads what there is.
    ///
    /// - Parameter folder: made when it is missing.
    /// - Throws: `SystemError`.
    public init(_ folder: String) throws(SystemError) {
        self.folder = folder
        try Self.make(folder)
        guard let listing = opendir(folder) else { throw SystemError("opendir", on: folder) }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
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
        let path = self.path(record.instance)
        let data = try JSONEncoder().encode(record)
        let file = try Descriptor.open("\(path).new", O_WRONLY | O_CREAT | O_TRUNC)
        try data.withUnsafeBytes { try file.writeAll($0) }
        try check("fsync", on: path) { fsync(file.number) }
        try check("rename", on: path) { rename("\(path).new", path) }
        try syncFolder()
        records[record.instance] = record
    }

    func remove(_ instance: String) throws {
        guard records[instance] != nil else { return }
        try check("unlink", on: path(instance)) { unlink(path(instance)) }
        try syncFolder()
        records[instance] = nil
    }

    private func path(_ instance: String) -> String { "\(folder)/\(instance)\(Self.suffix)" }

    private func syncFolder() throws(SystemError) {
        let folder = try Descriptor.open(self.folder, O_RDONLY | O_DIRECTORY)
        try check("fsync", on: self.folder) { fsync(folder.number) }
    }

    private static func make(_ folder: String) throws(SystemError) {
        var path = folder.hasPrefix("/") ? "" : "."
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            if mkdir(path, 0o755) != 0, errno != EEXIST { throw SystemError("mkdir", on: path) }
        }
    }
}
