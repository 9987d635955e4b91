import OCI
import PrintableText
import SystemIO

/// Why an archive was not passed on. Nothing of it can have been loaded: its manifest is written
/// after all else was found to be right.
public enum ImageStreamError: Error, Sendable {
    /// Neither a tar archive nor a compressed one.
    case notAnArchive
    /// It breaks off, or its structure or compression is broken.
    case damaged(reason: String)
    /// An entry that no image needs and that could do harm.
    case unsafeEntry(String, reason: String)
    case tooManyEntries(limit: Int)
    /// It would expand to more than the limit, in bytes.
    case tooLarge(limit: Int64)
    /// A decoder would have to keep more bytes of what it has unpacked than the limit.
    case windowTooLarge(String, compression: String, window: UInt64, limit: UInt64)
    /// All archives being read together leave too little memory for another decoder, in bytes.
    case decodersBusy(String, needed: Int, limit: Int)
    /// Compressed data that is compressed again.
    case compressedTwice(String, inner: String, outer: String)
    /// More bytes of JSON, or of an entry's headers, than any image has.
    case tooMuchMetadata(limit: Int)
    /// Neither `manifest.json` nor `index.json`.
    case noManifest
    case notOneImage(count: Int)
    /// No archive of a plugin.
    case notAPlugin(reason: String)
    /// A JSON document that says something else than it should.
    case malformed(String, reason: String)
    /// Content that is named but not there.
    case missing(String, namedBy: String)
    /// Content that is not what its digest says.
    case wrongDigest(String, expected: Digest, actual: Digest)
    case noPlatform(wanted: Platform, found: [String])
    /// No name was asked for, and the archive has none or several.
    case notOneName([String])
    /// The archive's own name is no image reference.
    case badName(ImageReferenceError)
    /// The source ended the stream.
    case source(any Error)
    /// Whoever reads the result went away.
    case output(SystemError)
}

extension ImageStreamError: CustomStringConvertible {
    /// A sentence for the user, whatever the archive has in its names.
    public var description: String { printable(sentence) }

    private var sentence: String {
        switch self {
        case .notAnArchive:
            "this is not an archive: neither tar nor tar compressed with gzip, bzip2, xz or zstd"
        case .damaged(let reason): "the archive is damaged: \(reason)"
        case .unsafeEntry(let name, let reason):
            "the archive is not safe: entry '\(name)' \(reason)"
        case .tooManyEntries(let limit): "the archive has more than \(limit) entries"
        case .tooLarge(let limit): "the archive expands to more than \(limit) bytes"
        case .windowTooLarge(let subject, let compression, let window, let limit):
            "\(subject) needs a decompression window of \(window) bytes, over the limit of "
                + "\(limit) bytes; compress it with a smaller \(compression) window"
        case .decodersBusy(let subject, let needed, let limit):
            "\(subject) needs \(needed) bytes of memory to decompress, and the archives being "
                + "read at this moment leave less of the limit of \(limit) bytes; try again later"
        case .compressedTwice(let subject, let inner, let outer):
            "\(subject) is compressed more than once, with \(inner) and then \(outer); "
                + "compress it once"
        case .tooMuchMetadata(let limit):
            "the archive has more than \(limit) bytes of metadata"
        case .noManifest: "no manifest.json or index.json in the archive: it holds no image"
        case .notAPlugin(let reason): "the archive holds no plugin: \(reason)"
        case .notOneImage(0): "the archive holds no image"
        case .notOneImage(let count): "the archive holds \(count) images; push them one by one"
        case .malformed(let name, let reason): "\(name) in the archive is malformed: \(reason)"
        case .missing(let name, let namer): "the archive has no '\(name)', which \(namer) names"
        case .wrongDigest(let name, let expected, let actual):
            "'\(name)' in the archive is corrupted: it should be \(expected), but is \(actual)"
        case .noPlatform(let wanted, let found):
            "the archive has no image for \(wanted), only for \(found.joined(separator: ", "))"
        case .notOneName([]): "the archive does not name its image; give it a name"
        case .notOneName(let names):
            "the archive has several names for its image (\(names.joined(separator: ", "))); "
                + "say which one is meant"
        case .badName(let error): "the archive's own name is wrong: \(error)"
        case .source(let error): "\(error)"
        case .output(let error): "the archive could not be passed on: \(error.reason)"
        }
    }
}
