import Glibc
import SystemIO

/// A file in memory, for code that reads or writes descriptors.
public final class ScratchFile {
    private let file: SystemIO.Descriptor

    public init(_ bytes: [UInt8] = []) {
        file = Self.unnamed()
        Self.fill(file, with: bytes)
    }

    private static func unnamed() -> SystemIO.Descriptor {
        do {
            return try SystemIO.Descriptor.unnamedFile(in: "/dev/shm")
        } catch {
            fatalError("\(error)")
        }
    }

    private static func fill(_ file: borrowing SystemIO.Descriptor, with bytes: [UInt8]) {
        let count = write(file.number, bytes, bytes.count)
        if count != bytes.count { fatalError("the scratch file cannot be written") }
    }

    /// A descriptor of one's own, at the file's beginning.
    public func descriptor() -> SystemIO.Descriptor {
        lseek(file.number, 0, SEEK_SET)
        do {
            return try Descriptor.duplicate(of: file.number)
        } catch {
            fatalError("\(error)")
        }
    }

    /// What is in it.
    public var bytes: [UInt8] {
        let size = lseek(file.number, 0, SEEK_END)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(pread(file.number, buffer.baseAddress, size, 0), 0)
        }
    }
}
