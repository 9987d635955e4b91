import ContentDigest
import FoundationEssentials
import HTTPClient
import ImageStream
import OCI
import PrintableText
import SystemIO

/// A document and what its digest is of.
struct FetchedDocument: Sendable {
    var descriptor: OCI.Descriptor
    var bytes: [UInt8]
}

/// An image's manifest.
struct FetchedManifest: Sendable {
    var document: FetchedDocument
    var manifest: Manifest
    /// What it was found in, where it was an index.
    var index: FetchedDocument?
}

extension RegistryClient {
    /// The distribution spec's own limit.
    private static let largestManifest = 4 << 20
    /// A pebibyte; the sum of all layers' sizes is a number all the same.
    private static let largestBlob = 1 << 50
    /// Of those that an image has, in a message.
    private static let mostPlatformsTold = 16
    /// Nothing needs more layers; engines take 127.
    private static let mostLayers = 512

    /// The manifest of the image for a platform, through an index where there is one.
    ///
    /// - Throws: ``FetchError`` or `CancellationError`.
    func manifest(for platform: Platform) async throws -> FetchedManifest {
        let what = "\(source)"
        let (bytes, type) = try await document("manifests/\(source.reference)", what)
        if let digest = source.digest { try Self.check(bytes, digest, what) }
        guard let index = try? JSONDecoder().decode(Index.self, from: Data(bytes)) else {
            return try Self.parse(bytes, type, what)
        }
        let fitting = index.manifests.filter { $0.platform.map(platform.runs) ?? false }
        guard let chosen = fitting.first else {
            throw FetchError.noPlatform(
                wanted: platform,
                found: index.manifests.compactMap(\.platform).prefix(Self.mostPlatformsTold).map {
                    excerpt($0.description)
                })
        }
        let (inner, innerType) = try await document("manifests/\(chosen.digest)", what)
        try Self.check(inner, chosen.digest, what)
        var fetched = try Self.parse(inner, innerType ?? chosen.mediaType, what)
        fetched.index = FetchedDocument(
            descriptor: OCI.Descriptor(
                mediaType: Self.plain(type) ?? MediaType.indexes[0],
                digest: ContentHash.digest(of: bytes), size: bytes.count), bytes: bytes)
        return fetched
    }

    /// What cosign has put beside a manifest or an index, under a tag made of its digest.
    ///
    /// - Returns: nil when there is nothing.
    /// - Throws: ``FetchError`` or `CancellationError`.
    func signatures(of digest: Digest) async throws -> FetchedDocument? {
        let tag = digest.signatureTag
        let what = "\(source.registry)/\(source.repository):\(tag)"
        do {
            let (bytes, type) = try await document("manifests/\(tag)", what)
            return FetchedDocument(
                descriptor: OCI.Descriptor(
                    mediaType: Self.plain(type) ?? MediaType.manifests[0],
                    digest: ContentHash.digest(of: bytes), size: bytes.count,
                    annotations: [Annotation.referenceName: tag]), bytes: bytes)
        } catch FetchError.notFound {
            return nil
        }
    }

    private func document(_ path: String, _ what: String) async throws -> ([UInt8], String?) {
        let accepted = (MediaType.manifests + MediaType.indexes).joined(separator: ", ")
        return try await web.retrying(what) {
            let response = try await get(path, what, isLong: false, headers: [("Accept", accepted)])
            do {
                let bytes = try await response.collect(upTo: Self.largestManifest)
                return (bytes, response.header("Content-Type"))
            } catch let error as HTTPError where error.kind == .tooLarge {
                throw FetchError.corrupt(
                    "\(what): the manifest has more than \(Self.largestManifest) bytes")
            } catch let error as HTTPError {
                // It broke in the middle.
                throw WebClient.Temporary(reason: error.reason)
            }
        }
    }

    private static func parse(
        _ bytes: [UInt8], _ type: String?, _ what: String
    ) throws(FetchError) -> FetchedManifest {
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(bytes)) else {
            throw .corrupt("\(what): what the registry sent is no manifest of an image")
        }
        guard manifest.layers.count <= mostLayers else {
            throw .corrupt("\(what): the manifest has more than \(mostLayers) layers")
        }
        let pieces = manifest.layers + [manifest.config]
        guard pieces.allSatisfy({ (0...largestBlob).contains($0.size) }) else {
            throw .corrupt("\(what): the manifest has sizes that cannot be")
        }
        return FetchedManifest(
            document: FetchedDocument(
                descriptor: OCI.Descriptor(
                    mediaType: plain(type) ?? MediaType.manifests[0],
                    digest: ContentHash.digest(of: bytes), size: bytes.count),
                bytes: bytes),
            manifest: manifest)
    }

    /// A media type without parameters.
    private static func plain(_ type: String?) -> String? {
        type.map { String($0.prefix { $0 != ";" }) }
    }

    static func check(
        _ bytes: [UInt8], _ digest: Digest, _ what: String
    ) throws(FetchError) {
        let actual = ContentHash.digest(of: bytes, digest.algorithm)
        guard actual == digest else {
            throw .corrupt("\(what): it should be \(digest), but is \(actual)")
        }
    }
}
