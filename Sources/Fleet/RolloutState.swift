import FoundationEssentials
import Glibc
import JSON
import SystemIO

/// The state of a rollout in a file of JSON lines: what it is, and then a line whenever a device
/// begins or ends. Whatever kills the program, the file says what was done.
///
/// Lines are appended and waited for (fsync). A last line that is not whole was being written when
/// that happened, and is taken away.
@EventLoop
public final class RolloutState {
    private struct Header: Codable {
        var rollout: RolloutIdentity
        var version: Int
    }

    private let path: String
    private let file: Descriptor
    private var records: [String: RolloutRecord] = [:]
    private var size: Int64

    private static let version = 1
    /// A hundred thousand devices on a bad day.
    private static let largestSize = 256 << 20

    /// Takes up the state of a rollout, or begins one when the file is empty or not there.
    ///
    /// - Throws: ``FleetError`` when it is of another rollout, in use, or no such file.
    public init(_ path: String, of rollout: RolloutIdentity) throws(FleetError) {
        self.path = path
        let header: [UInt8]
        do {
            header = try Self.line(Header(rollout: rollout, version: Self.version))
        } catch {
            throw FleetError("\(path): \(error)")
        }
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDWR | O_CREAT | O_APPEND, mode: 0o600)
            guard try file.isFile() else { throw SystemError("open", on: path, code: ESPIPE) }
        } catch {
            throw FleetError("\(path): \(error.reason)")
        }
        let number = file.number
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            throw FleetError("\(path): another cz is at work with it")
        }
        let text: [UInt8]
        do throws(SystemError) {
            text = try file.readToEnd(atMost: Self.largestSize, of: path)
        } catch {
            throw FleetError("\(path): \(error.reason)")
        }
        size = 0
        // Of a first line that is not whole nothing is known but that it is ours.
        if text.count < header.count, header.starts(with: text) {
            do throws(SystemError) {
                try cut(to: 0)
                try append(header)
                try Self.folder(of: path).synchronise()
            } catch {
                throw FleetError("\(path): \(error.reason)")
            }
            return
        }
        try take(text, rollout)
        do throws(SystemError) {
            if size < Int64(text.count) { try cut(to: size) }
        } catch {
            throw FleetError("\(path): \(error.reason)")
        }
    }

    /// Reads what there is up to the last whole line.
    private func take(_ text: [UInt8], _ rollout: RolloutIdentity) throws(FleetError) {
        let end = text.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let lines = text[..<end].split(separator: UInt8(ascii: "\n"))
        let decoder = JSONDecoder()
        guard let first = lines.first,
            let header = try? decoder.decode(Header.self, from: Data(first)),
            header.version == Self.version
        else { throw FleetError("\(path): it is not the state of a rollout") }
        if let difference = rollout.difference(from: header.rollout) {
            throw FleetError("\(path): \(difference)")
        }
        for (index, line) in lines.enumerated().dropFirst() {
            guard let record = try? decoder.decode(RolloutRecord.self, from: Data(line)) else {
                throw FleetError("\(path):\(index + 1): it says nothing about a target")
            }
            keep(record)
        }
        size = Int64(end)
    }

    /// The last word about a device; nil when it was never touched.
    public func record(of member: FleetMember) -> RolloutRecord? {
        records[RolloutRecord.address(of: member)]
    }

    /// Writes a record, and waits until it is on the disk.
    ///
    /// - Throws: ``FleetError``; then the file is as it was before.
    public func write(_ record: RolloutRecord) throws(FleetError) {
        let line: [UInt8]
        do {
            line = try Self.line(record)
        } catch {
            throw FleetError("\(path): \(error)")
        }
        do throws(SystemError) {
            try append(line)
        } catch {
            // Half a line would be the end of the next one.
            try? cut(to: size)
            throw FleetError("\(path): \(error.reason)")
        }
        keep(record)
    }

    private func keep(_ record: RolloutRecord) {
        var record = record
        // Only the first attempt has seen it.
        if record.previous == nil, record.isOpen {
            record.previous = records[record.address]?.previous
        }
        // An error is for people who read the file.
        record.error = nil
        records[record.address] = record
    }

    private func append(_ line: [UInt8]) throws(SystemError) {
        try line.withUnsafeBytes { bytes in
            Result { () throws(SystemError) in try file.writeAll(bytes) }
        }.get()
        let number = file.number
        try check("fsync", on: path) { fsync(number) }
        size += Int64(line.count)
    }

    private func cut(to length: Int64) throws(SystemError) {
        let number = file.number
        try check("ftruncate", on: path) { ftruncate(number, off_t(length)) }
    }

    private static func line(_ value: some Encodable) throws -> [UInt8] {
        Array(try CanonicalJSON.encode(value)) + [UInt8(ascii: "\n")]
    }

    private static func folder(of path: String) -> Folder {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        return Folder(existing: slash.map { String(path[...$0]) } ?? ".")
    }
}
