import ContentDigest
import Glibc
import ImageStream
import OCI
import SystemIO

/// Verified blobs in a folder, by digest. Several programs may use it at once, and any of them
/// may be killed: a blob appears in `blobs/` when it is whole, and what is on its way lies in
/// `partial/`, locked by whoever writes it.
///
/// A digest is no secret and no permission: any server can name one in a manifest. So `origins/`
/// records which repositories delivered a blob, and it is used for pulls from these alone, after
/// the registry has confirmed that the pull may read it (``CacheReader``).
///
/// The time of a blob's last change is that of its last use, for whoever makes room.
public struct BlobCache: Sendable {
    private let blobs: Folder
    private let partial: Folder
    private let origins: String

    /// - Throws: ``FetchError/cache(_:)``.
    public init(in folder: String) throws(FetchError) {
        do throws(SystemError) {
            blobs = try Folder(making: "\(folder)/blobs", mode: 0o755)
            partial = try Folder(making: "\(folder)/partial", mode: 0o755)
            origins = "\(folder)/origins"
            for algorithm in Digest.Algorithm.allCases {
                _ = try Folder(making: "\(folder)/blobs/\(algorithm.rawValue)", mode: 0o755)
                _ = try Folder(making: "\(origins)/\(algorithm.rawValue)", mode: 0o755)
            }
        } catch {
            throw .cache(error)
        }
    }

    /// Whether a blob is there that a repository delivered before.
    func has(_ descriptor: OCI.Descriptor, from origin: BlobOrigin) -> Bool {
        access(path(of: descriptor.digest), R_OK) == 0
            && recordedOrigins(of: descriptor.digest).contains(origin.line)
    }

    /// A blob that is there. Whether a pull may have it is decided before.
    ///
    /// - Returns: nil when it is not, or is not of the size it should be.
    @EventLoop
    func blob(_ descriptor: OCI.Descriptor) -> CachedBlob? {
        let path = path(of: descriptor.digest)
        guard let file = try? SystemIO.Descriptor.open(path, O_RDONLY | O_NOFOLLOW) else {
            return nil
        }
        var status = stat()
        guard fstat(file.number, &status) == 0, status.st_size == descriptor.size else {
            return nil
        }
        // Where that is not allowed it counts as older than it is.
        futimens(file.number, nil)
        return CachedBlob(file, at: path, descriptor)
    }

    /// Begins a blob, or goes on with one that was left half done.
    ///
    /// - Returns: nil when another program is at it, or when there is no room: what is not kept
    ///   is fetched all the same.
    /// - Throws: ``FetchError/cache(_:)``.
    func begin(
        _ descriptor: OCI.Descriptor, from origin: BlobOrigin
    ) throws(FetchError) -> PartialBlob? {
        let digest = descriptor.digest
        // As much has to be left for others.
        if let space = FileSystemSpace(holding: partial.path),
            space.free / 2 < Int64(descriptor.size)
        {
            return nil
        }
        // Bytes that another repository delivered are not gone on with.
        let name =
            "\(partial.path)/\(digest.algorithm.rawValue)-\(digest.hexadecimal)-\(origin.short)"
        do throws(SystemError) {
            let file = try SystemIO.Descriptor.open(
                name, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644)
            guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
                if errno == EWOULDBLOCK { return nil }
                throw SystemError("flock", on: name)
            }
            // It may have been finished or removed between the two steps.
            var here = stat()
            var there = stat()
            guard fstat(file.number, &here) == 0, stat(name, &there) == 0,
                here.st_ino == there.st_ino
            else { return nil }
            return PartialBlob(
                file, at: name, becoming: path(of: digest),
                in: "\(blobs.path)/\(digest.algorithm.rawValue)", size: Int64(here.st_size)
            ) { () throws(SystemError) in try record(origin, of: digest) }
        } catch {
            throw .cache(error)
        }
    }

    // MARK: Origins

    /// Repositories that are recorded for one blob. A blob of more is fetched again for the others.
    private static let maxOrigins = 64

    private func originsPath(_ digest: Digest) -> String {
        "\(origins)/\(digest.algorithm.rawValue)/\(digest.hexadecimal)"
    }

    /// Whole lines alone: one that was cut off by a crash is of no repository.
    private func recordedOrigins(of digest: Digest) -> [[UInt8]] {
        let path = originsPath(digest)
        let limit = (BlobOrigin.length + 2) * Self.maxOrigins
        guard let file = try? SystemIO.Descriptor.open(path, O_RDONLY | O_NOFOLLOW),
            let text = try? file.bytes(limit, at: 0, path)
        else { return [] }
        return text.split(separator: UInt8(ascii: "\n")).map(Array.init).filter {
            $0.count == BlobOrigin.length
        }
    }

    private func record(_ origin: BlobOrigin, of digest: Digest) throws(SystemError) {
        let recorded = recordedOrigins(of: digest)
        guard !recorded.contains(origin.line), recorded.count < Self.maxOrigins else { return }
        let path = originsPath(digest)
        let file = try SystemIO.Descriptor.open(
            path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o644)
        // The first line break ends what a crash has cut off. One write, so that those of several
        // programs do not mix.
        let line = [UInt8(ascii: "\n")] + origin.line + [UInt8(ascii: "\n")]
        let number = file.number
        let count = try check("write", on: path) {
            line.withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
        }
        guard count == line.count else { throw SystemError("write", on: path, code: ENOSPC) }
    }

    private func path(of digest: Digest) -> String {
        "\(blobs.path)/\(digest.algorithm.rawValue)/\(digest.hexadecimal)"
    }
}

/// The repository that a pull names, which is what its registry grants access to: the scheme, the
/// registry and the repository's name. Without TLS anybody may have answered for it.
struct BlobOrigin: Hashable, Sendable {
    /// Hexadecimal digits of a SHA-256, so that all are of one length.
    let line: [UInt8]
    static let length = 64

    init(_ source: RegistryReference, usesPlainHTTP: Bool) {
        let scheme = usesPlainHTTP ? "http" : "https"
        let text = "\(scheme)://\(source.registry.lowercased())/\(source.repository)"
        line = Array(ContentHash.digest(of: Array(text.utf8)).hexadecimal.utf8)
    }

    /// For a file's name.
    var short: String { String(decoding: line.prefix(16), as: UTF8.self) }
}

/// A blob on its way into the cache; whoever has it has its lock.
final class PartialBlob: Sendable {
    private let file: SystemIO.Descriptor
    private let path: String
    private let destination: String
    private let folder: String
    private let record: @Sendable () throws(SystemError) -> Void
    /// Bytes that were there already.
    let sizeAtFirst: Int64

    init(
        _ file: consuming SystemIO.Descriptor, at path: String, becoming destination: String,
        in folder: String, size: Int64,
        record: @escaping @Sendable () throws(SystemError) -> Void
    ) {
        self.file = file
        self.path = path
        self.destination = destination
        self.folder = folder
        self.record = record
        sizeAtFirst = size
    }

    /// Writes at `offset`, where the file ends so far.
    func write(_ bytes: [UInt8], at offset: Int64) throws(SystemError) {
        var rest = bytes[...]
        var offset = offset
        while !rest.isEmpty {
            let (number, start) = (file.number, off_t(offset))
            let count = try check("write", on: path) {
                rest.withUnsafeBytes { pwrite(number, $0.baseAddress, $0.count, start) }
            }
            rest = rest.dropFirst(count)
            offset += Int64(count)
        }
    }

    func read(_ count: Int, at offset: Int64) throws(SystemError) -> [UInt8] {
        try file.bytes(count, at: offset, path)
    }

    /// Forgets all of it.
    func empty() throws(SystemError) {
        let number = file.number
        try check("ftruncate", on: path) { ftruncate(number, 0) }
    }

    /// It is whole and verified: from now on it is in the cache, whatever fails. It waits for the
    /// disk, so call it on a thread that may.
    func finish() throws(SystemError) {
        let number = file.number
        try check("fsync", on: path) { fsync(number) }
        try check("rename", on: destination) { rename(path, destination) }
        try Folder(making: folder, mode: 0o755).synchronise()
        try record()
    }

    func remove() { unlink(path) }
}

extension SystemIO.Descriptor {
    /// As many bytes as there are from a place in a file, at most `count`.
    fileprivate borrowing func bytes(
        _ count: Int, at offset: Int64, _ path: String
    ) throws(SystemError) -> [UInt8] {
        let number = self.number
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(SystemError) {
                filled = try check("read", on: path) {
                    pread(number, buffer.baseAddress, count, off_t(offset))
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// A blob from the cache, looked at once more as it goes by: a disk may have forgotten.
@EventLoop
final class CachedBlob: BlobReader {
    private let file: SystemIO.Descriptor
    private let path: String
    private let progress: BlobProgress

    init(_ file: consuming SystemIO.Descriptor, at path: String, _ descriptor: OCI.Descriptor) {
        self.file = file
        self.path = path
        progress = BlobProgress(descriptor)
    }

    func next() async throws -> [UInt8]? {
        try Task.checkCancellation()
        do {
            guard progress.received < progress.size else {
                try progress.verify()
                return nil
            }
            let bytes = try file.bytes(BlobStream.pieceSize, at: progress.received, path)
            guard !bytes.isEmpty else {
                throw FetchError.corrupt("it is shorter than it was")
            }
            try progress.add(bytes)
            return bytes
        } catch is FetchError {
            unlink(path)
            throw FetchError.corrupt(
                "\(path): the blob has changed since it was kept; it was removed, so try again")
        } catch let error as SystemError {
            throw FetchError.cache(error)
        }
    }

    func cancel() {}
}
