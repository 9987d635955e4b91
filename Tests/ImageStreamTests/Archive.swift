import CArchive
import ContentDigest
import FoundationEssentials
import Glibc
import OCI
import SystemIO

@testable import ImageStream

/// A tar archive under construction, good or bad.
struct Archive {
    enum Entry {
        case file(String, [UInt8])
        /// A file of zeros, of any size.
        case zeros(String, Int)
        case symlink(String, to: String)
        case hardlink(String, to: String)
        case device(String)
        case directory(String)
    }

    enum Compression { case none, gzip, zstd, xz }

    var entries: [Entry] = []

    mutating func add(_ name: String, _ content: [UInt8]) { entries.append(.file(name, content)) }

    mutating func add(_ name: String, json: some Encodable) throws {
        add(name, Array(try JSONEncoder().encode(json)))
    }

    /// The archive's bytes.
    func bytes(_ compression: Compression = .none) throws -> [UInt8] {
        let file = TemporaryFile()
        try file.withDescriptor { descriptor in
            guard let archive = archive_write_new(), let header = archive_entry_new() else {
                throw SystemError("archive_write_new")
            }
            defer {
                archive_entry_free(header)
                archive_write_free(archive)
            }
            archive_write_set_format_pax_restricted(archive)
            switch compression {
            case .none: break
            case .gzip: archive_write_add_filter_gzip(archive)
            case .zstd: archive_write_add_filter_zstd(archive)
            case .xz: archive_write_add_filter_xz(archive)
            }
            archive_write_open_fd(archive, descriptor)
            for entry in entries { entry.write(to: archive, header) }
            archive_write_close(archive)
        }
        return try file.read()
    }
}

extension Archive.Entry {
    fileprivate func write(to archive: OpaquePointer, _ header: OpaquePointer) {
        archive_entry_clear(header)
        archive_entry_set_perm(header, 0o644)
        archive_entry_set_filetype(header, cz_regular_file)
        var content: [UInt8] = []
        switch self {
        case .file(let name, let bytes):
            archive_entry_set_pathname(header, name)
            archive_entry_set_size(header, Int64(bytes.count))
            content = bytes
        case .zeros(let name, let count):
            archive_entry_set_pathname(header, name)
            archive_entry_set_size(header, Int64(count))
        case .symlink(let name, let target):
            archive_entry_set_pathname(header, name)
            archive_entry_set_filetype(header, cz_symbolic_link)
            archive_entry_set_symlink(header, target)
        case .hardlink(let name, let target):
            archive_entry_set_pathname(header, name)
            archive_entry_set_hardlink(header, target)
        case .device(let name):
            archive_entry_set_pathname(header, name)
            archive_entry_set_filetype(header, cz_block_device)
        case .directory(let name):
            archive_entry_set_pathname(header, name)
            archive_entry_set_filetype(header, cz_directory)
        }
        archive_write_header(archive, header)
        if !content.isEmpty { archive_write_data(archive, content, content.count) }
        // A file that was given less than its size is filled up with zeros.
        archive_write_finish_entry(archive)
    }
}

/// Compresses bytes as they are.
///
/// - Parameter level: the tool's own scale; nil for its default.
func compressed(
    _ bytes: [UInt8], _ compression: Archive.Compression, level: Int? = nil
) throws -> [UInt8] {
    let file = TemporaryFile()
    try file.withDescriptor { descriptor in
        guard let archive = archive_write_new(), let header = archive_entry_new() else {
            throw SystemError("archive_write_new")
        }
        defer {
            archive_entry_free(header)
            archive_write_free(archive)
        }
        archive_write_set_format_raw(archive)
        switch compression {
        case .none: break
        case .gzip: archive_write_add_filter_gzip(archive)
        case .zstd: archive_write_add_filter_zstd(archive)
        case .xz: archive_write_add_filter_xz(archive)
        }
        if let level {
            archive_write_set_filter_option(archive, nil, "compression-level", "\(level)")
        }
        archive_write_open_fd(archive, descriptor)
        archive_entry_set_pathname(header, "content")
        archive_entry_set_filetype(header, cz_regular_file)
        archive_write_header(archive, header)
        archive_write_data(archive, bytes, bytes.count)
        archive_write_close(archive)
    }
    return try file.read()
}

/// A file without a name any more.
final class TemporaryFile {
    private let file: UnsafeMutablePointer<FILE>?

    init() { file = tmpfile() }
    deinit { if let file { fclose(file) } }

    func withDescriptor(_ body: (CInt) throws -> Void) throws {
        guard let file else { throw SystemError("tmpfile") }
        try body(fileno(file))
    }

    func read() throws -> [UInt8] {
        guard let file else { throw SystemError("tmpfile") }
        let size = lseek(fileno(file), 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: size)
        let count = pread(fileno(file), &bytes, size, 0)
        guard count == size else { throw SystemError("pread") }
        return bytes
    }
}

/// Bytes in pieces of a size.
final class Pieces: ByteSource {
    private let storage: UnsafeMutableRawBufferPointer
    private let size: Int
    private var offset = 0
    private let failure: (any Error)?

    init(_ bytes: [UInt8], of size: Int, thenFailingWith failure: (any Error)? = nil) {
        storage = .allocate(byteCount: bytes.count, alignment: 1)
        storage.copyBytes(from: bytes)
        self.size = size
        self.failure = failure
    }

    deinit { storage.deallocate() }

    func next() throws -> UnsafeRawBufferPointer {
        let count = min(size, storage.count - offset)
        if count == 0, let failure { throw failure }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: storage[offset..<offset + count])
    }
}

/// An image's parts, from which archives of any kind are made.
struct SampleImage {
    struct Config: Encodable {
        struct RootFS: Encodable {
            var type = "layers"
            var diffIDs: [String]

            enum CodingKeys: String, CodingKey {
                case type
                case diffIDs = "diff_ids"
            }
        }
        var architecture = "amd64"
        var os = "linux"
        var rootfs: RootFS
    }

    var layers: [[UInt8]] = []
    var diffIDs: [Digest] = []

    /// Adds a layer of one file.
    mutating func add(_ text: String, _ compression: Archive.Compression = .none) throws {
        let layer = Archive(entries: [.file("file", Array(text.utf8))])
        layers.append(try layer.bytes(compression))
        diffIDs.append(ContentHash.digest(of: try layer.bytes()))
    }

    static func two(_ compression: Archive.Compression = .none) throws -> SampleImage {
        var image = SampleImage()
        try image.add("one", compression)
        try image.add("two", compression)
        return image
    }

    var config: [UInt8] {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return Array(
                try encoder.encode(Config(rootfs: .init(diffIDs: diffIDs.map(\.description)))))
        }
    }

    /// As `docker save` writes it, the manifest at the end.
    func dockerArchive(tags: [String]? = ["sample:1"]) throws -> Archive {
        var archive = Archive()
        let config = try config
        let configName = "\(ContentHash.digest(of: config).hexadecimal).json"
        archive.add(configName, config)
        for (index, layer) in layers.enumerated() { archive.add("l\(index)/layer.tar", layer) }
        archive.entries.append(.file("l0/VERSION", Array("1.0".utf8)))
        try archive.add(
            "manifest.json",
            json: [
                DockerManifest(
                    config: configName, repoTags: tags,
                    layers: layers.indices.map { "l\($0)/layer.tar" })
            ])
        return archive
    }

    /// As skopeo and buildah write it.
    func ociArchive(
        annotations: [String: String]? = nil, platforms: [Platform?] = [nil]
    ) throws -> Archive {
        var archive = Archive()
        archive.add("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        func blob(_ bytes: [UInt8]) -> OCI.Descriptor {
            let digest = ContentHash.digest(of: bytes)
            archive.add("blobs/sha256/\(digest.hexadecimal)", bytes)
            return OCI.Descriptor(mediaType: nil, digest: digest, size: bytes.count)
        }
        let manifest = Manifest(config: blob(try config), layers: layers.map(blob))
        let document = blob(Array(try JSONEncoder().encode(manifest)))
        try archive.add(
            "index.json",
            json: Index(
                manifests: platforms.map {
                    var descriptor = document
                    descriptor.platform = $0
                    descriptor.annotations = annotations
                    return descriptor
                }))
        return archive
    }
}

/// A header without content, byte by byte: libarchive itself writes no such ones.
///
/// - Parameter gnuSize: GNU's field for the size that a sparse file gets, in base 256: its first
///   byte, which has the sign, and its last ones.
func rawHeader(
    _ name: String, type: Character = "0", target: String = "", gnuSize: [UInt8] = [],
    size: Int = 0
) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
        block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
    }
    put(name, at: 0)
    put("0000644", at: 100)
    let octal = String(size, radix: 8)
    put(String(repeating: "0", count: 11 - octal.count) + octal, at: 124)
    put("        ", at: 148)
    put(String(type), at: 156)
    put(target, at: 157)
    put(gnuSize.isEmpty ? "ustar\u{0}00" : "ustar  \u{0}", at: 257)
    put("bôss", at: 265)
    if let first = gnuSize.first {
        let fill = first == 0xFF ? 0xFF : 0 as UInt8
        let field = [first] + [UInt8](repeating: fill, count: 12 - gnuSize.count)
        block.replaceSubrange(483..<495, with: field + gnuSize.dropFirst())
    }
    let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
    put(String(repeating: "0", count: 6 - sum.count) + sum + "\0", at: 148)
    return block
}
