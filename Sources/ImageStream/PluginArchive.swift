import CArchive
import OCI
import SystemIO

/// The tarball of a plugin, as Docker wants it: config.json and the root file system in `rootfs/`.
///
/// What clients push is less orderly: compressed or not, with the files of the root file system
/// at the top or in `rootfs/`, with a config.json or without. It is read twice, so it is a file:
/// once to find out what it is, and once to pass it on.
public struct PluginArchive: Hashable, Sendable {
    /// The config.json in it.
    public let config: [UInt8]?
    /// The digest of the tarball as it is.
    public let digest: Digest
    /// Whether the root file system is in `rootfs/`, rather than at the top.
    let hasFolder: Bool

    static let configName = "config.json"
    static let folder = "rootfs"
    /// A root file system of a whole distribution has a tenth.
    static let mostEntries = 1_000_000

    /// Reads a tarball and finds out what it is; it blocks.
    public init(
        surveying source: FileSource, limits: ImageStreamLimits
    ) throws(ImageStreamError) {
        var config: [UInt8]?
        // Not the names themselves, of which there may be a million.
        var isOrderly = true
        var files = 0
        try Self.forEachEntry(of: source, limits) { name, entry, reader throws(ImageStreamError) in
            guard let top = name.path.split(separator: "/").first else { return }
            if name.path == Self.configName, entry.hardlink == nil,
                archive_entry_filetype(entry) == cz_regular_file
            {
                config = try Self.document(reader)
            } else {
                let isFolder =
                    archive_entry_filetype(entry) == cz_directory && entry.hardlink == nil
                // A link of that name would lead out of the root file system.
                if top != Self.folder || name.path == Self.folder && !isFolder {
                    isOrderly = false
                }
                files += 1
                // What is damaged is found now, not when it is passed on.
                while try !reader.nextBlock().isEmpty {}
            }
        }
        guard files > 0 else { throw .notAPlugin(reason: "there is no root file system in it") }
        self.config = config
        digest = source.finish()
        hasFolder = isOrderly
    }

    /// Passes the tarball on in Docker's form; it blocks.
    ///
    /// - Parameters:
    ///   - source: the same file, from its beginning.
    ///   - config: the config.json to give it, in place of its own.
    ///   - output: a pipe or file that blocks; closed at the end.
    public func write(
        from source: FileSource, config: [UInt8], to output: consuming SystemIO.Descriptor,
        limits: ImageStreamLimits
    ) throws(ImageStreamError) {
        let writer = try ArchiveWriter(to: output)
        try writer.write(Self.configName, config)
        if !hasFolder { try writer.begin(folder: Self.folder) }
        try Self.forEachEntry(of: source, limits) { name, entry, reader throws(ImageStreamError) in
            guard !name.path.isEmpty, name.path != Self.configName else { return }
            try writer.begin(
                like: entry, named: placed(name),
                linkedTo: try entry.hardlink.map { target throws(ImageStreamError) in
                    placed(try EntryName(target))
                })
            while true {
                let bytes = try reader.nextBlock()
                if bytes.isEmpty { break }
                try writer.write(bytes)
            }
        }
        // Another tarball may have taken the name since.
        guard source.finish() == digest else {
            throw .notAPlugin(reason: "it was replaced while it was being started")
        }
        try writer.finish()
    }

    private func placed(_ name: EntryName) -> String {
        hasFolder ? name.path : "\(Self.folder)/\(name.path)"
    }

    private static func forEachEntry(
        of source: FileSource, _ limits: ImageStreamLimits,
        _ body: (EntryName, OpaquePointer, ArchiveReader) throws(ImageStreamError) -> Void
    ) throws(ImageStreamError) {
        let next: ArchiveReader.Source = { () throws(ImageStreamError) in
            do {
                return try source.next()
            } catch {
                throw .source(error)
            }
        }
        let reader = try ArchiveReader(from: next, limit: limits.maximumExpansion)
        var count = 0
        while let entry = try reader.nextEntry() {
            count += 1
            guard count <= mostEntries else { throw .tooManyEntries(limit: mostEntries) }
            let name = try EntryName(entry.name)
            if let target = entry.hardlink { _ = try EntryName(target) }
            guard archive_entry_sparse_count(entry) == 0 else {
                throw .unsafeEntry(name.path, reason: "is a sparse file")
            }
            let expanded = reader.bytesRead.addingReportingOverflow(archive_entry_size(entry))
            guard !expanded.overflow, expanded.partialValue <= limits.maximumExpansion else {
                throw .tooLarge(limit: limits.maximumExpansion)
            }
            try body(name, entry, reader)
        }
        // What follows the archive's end is part of the file all the same.
        while try !next().isEmpty {}
    }

    private static func document(_ reader: ArchiveReader) throws(ImageStreamError) -> [UInt8] {
        var document: [UInt8] = []
        while true {
            let bytes = try reader.nextBlock()
            if bytes.isEmpty { return document }
            document.append(contentsOf: bytes)
            guard document.count <= ImageStream.largestDocument else {
                throw .tooMuchMetadata(limit: ImageStream.largestDocument)
            }
        }
    }
}
