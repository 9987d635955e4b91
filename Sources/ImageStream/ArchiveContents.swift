import ContentDigest
import FoundationEssentials
import OCI

/// What went by in an archive, and what image that makes.
struct ArchiveContents {
    /// Content that was passed on under a name of our own.
    struct Layer: Hashable {
        /// The entry's name in what we wrote.
        var name: String
        var size: Int64
        /// Of the bytes as they are.
        var digest: Digest
        /// Of the bytes without compression.
        var diffID: Digest
    }

    /// An image of the archive, everything about it verified.
    struct Image: Equatable {
        /// The configuration, as it was.
        var config: [UInt8]
        var configDigest: Digest
        /// The base first.
        var layers: [Layer]
        var name: ImageReference
        /// nil for archives that can hold none.
        var signatures: ArchiveSignatures?
    }

    private(set) var documents: [EntryName: [UInt8]] = [:]
    private(set) var layers: [EntryName: Layer] = [:]
    private var links: [EntryName: EntryName] = [:]

    /// A link may lead to a link, as `docker save` wrote them, though never far.
    private static let longestChain = 8

    mutating func add(_ document: [UInt8], as name: EntryName) throws(ImageStreamError) {
        try expectNew(name)
        documents[name] = document
    }

    mutating func add(_ layer: Layer, as name: EntryName) throws(ImageStreamError) {
        try expectNew(name)
        layers[name] = layer
    }

    mutating func add(link name: EntryName, to target: EntryName) throws(ImageStreamError) {
        try expectNew(name)
        links[name] = target
    }

    private func expectNew(_ name: EntryName) throws(ImageStreamError) {
        if documents[name] != nil || layers[name] != nil || links[name] != nil {
            throw .unsafeEntry(name.path, reason: "is there twice")
        }
    }

    /// Puts the one image together.
    ///
    /// - Parameter wanted: its name; nil for the archive's own.
    func image(named wanted: ImageReference?) throws(ImageStreamError) -> Image {
        let manifestFile = try EntryName("manifest.json")
        if let document = document(manifestFile) {
            return try dockerImage(document, named: wanted)
        }
        let indexFile = try EntryName("index.json")
        guard let document = document(indexFile) else { throw .noManifest }
        return try ociImage(document, named: wanted)
    }

    // MARK: docker-archive

    private func dockerImage(
        _ document: [UInt8], named wanted: ImageReference?
    ) throws(ImageStreamError) -> Image {
        let file = "manifest.json"
        let manifests = try decode([DockerManifest].self, document, file)
        guard manifests.count == 1, let manifest = manifests.first else {
            throw .notOneImage(count: manifests.count)
        }
        let configName = try EntryName(manifest.config)
        guard let config = self.document(configName) else {
            throw .missing(manifest.config, namedBy: file)
        }
        // `docker save` names the configuration by its digest; others may not.
        let promised = configName.digest ?? Self.digest(inFileName: configName)
        let digest = ContentHash.digest(of: config, promised?.algorithm ?? .sha256)
        if let promised, promised != digest {
            throw .wrongDigest(manifest.config, expected: promised, actual: digest)
        }
        var layers: [Layer] = []
        for name in manifest.layers {
            guard let layer = self.layer(try EntryName(name)) else {
                throw .missing(name, namedBy: file)
            }
            layers.append(layer)
        }
        try check(layers, against: config, manifest.config, names: manifest.layers)
        return Image(
            config: config, configDigest: digest, layers: layers,
            name: try name(wanted, elseOneOf: manifest.repoTags ?? []))
    }

    private static func digest(inFileName name: EntryName) -> Digest? {
        guard let file = name.path.split(separator: "/").last, file.hasSuffix(".json") else {
            return nil
        }
        return Digest(.sha256, hexadecimal: file.dropLast(".json".count))
    }

    // MARK: oci-archive

    private func ociImage(
        _ document: [UInt8], named wanted: ImageReference?
    ) throws(ImageStreamError) -> Image {
        let entries = try decode(Index.self, document, "index.json").manifests
        let top = try image(among: entries)
        var index: [UInt8]?
        var chosen = top
        var file = chosen.digest.blobPath
        var content = try blob(chosen, namedBy: "index.json")
        // An index may stand between, with an image for each platform.
        if !chosen.isImage(content) {
            index = content
            chosen = try image(among: try decode(Index.self, content, file).manifests)
            content = try blob(chosen, namedBy: file)
            file = chosen.digest.blobPath
        }
        let manifest = try decode(Manifest.self, content, file)
        let config = try blob(manifest.config, namedBy: file)
        var layers: [Layer] = []
        for descriptor in manifest.layers {
            let name = descriptor.digest.blobPath
            guard let layer = self.layer(try EntryName(name)) else {
                throw .missing(name, namedBy: file)
            }
            // The blob's own name has been checked against its content as it went by.
            guard layer.size == Int64(descriptor.size) else {
                throw .malformed(file, reason: "\(name) has another size than it says")
            }
            layers.append(layer)
        }
        let configName = manifest.config.digest.blobPath
        try check(
            layers, against: config, configName,
            names: manifest.layers.map { $0.digest.blobPath })
        let names = top.annotatedName ?? chosen.annotatedName
        return Image(
            config: config, configDigest: manifest.config.digest, layers: layers,
            name: try name(wanted, elseOneOf: names.map { [$0] } ?? []),
            signatures: ArchiveSignatures(
                manifest: content, index: index,
                signatures: try signatures(among: entries, in: "index.json")))
    }

    /// The image of an index: the only one, or the only one for this platform.
    private func image(among manifests: [Descriptor]) throws(ImageStreamError) -> Descriptor {
        let images = manifests.filter { !isAccessory($0) }
        if images.count == 1, let image = images.first { return image }
        let platforms = images.compactMap(\.platform)
        guard !images.isEmpty, platforms.count == images.count else {
            throw .notOneImage(count: images.count)
        }
        let fitting = images.filter { $0.platform.map(Platform.current.runs) ?? false }
        guard fitting.count == 1, let image = fitting.first else {
            if fitting.isEmpty {
                throw .noPlatform(
                    wanted: .current, found: platforms.map(\.description))
            }
            throw .notOneImage(count: fitting.count)
        }
        return image
    }

    func blob(
        _ descriptor: Descriptor, namedBy namer: String
    ) throws(ImageStreamError) -> [UInt8] {
        let name = descriptor.digest.blobPath
        guard let content = document(try EntryName(name)) else {
            throw .missing(name, namedBy: namer)
        }
        let actual = ContentHash.digest(of: content, descriptor.digest.algorithm)
        guard actual == descriptor.digest else {
            throw .wrongDigest(name, expected: descriptor.digest, actual: actual)
        }
        return content
    }

    // MARK: Common to both

    /// The configuration says what the layers are.
    private func check(
        _ layers: [Layer], against document: [UInt8], _ file: String, names: [String]
    ) throws(ImageStreamError) {
        let config = try decode(ImageConfig.self, document, file)
        let expected = config.rootfs.diffIDs
        guard expected.count == layers.count else {
            throw .malformed(
                file, reason: "it has \(expected.count) layers, the manifest \(layers.count)")
        }
        for index in layers.indices where layers[index].diffID != expected[index] {
            throw .wrongDigest(
                names[index], expected: expected[index], actual: layers[index].diffID)
        }
    }

    private func name(
        _ wanted: ImageReference?, elseOneOf names: [String]
    ) throws(ImageStreamError) -> ImageReference {
        if let wanted { return wanted }
        guard names.count == 1, let name = names.first else { throw .notOneName(names) }
        do {
            return try ImageReference(parsing: name).familiar
        } catch {
            throw .badName(error)
        }
    }

    private func decode<Document: Decodable>(
        _ type: Document.Type, _ bytes: [UInt8], _ file: String
    ) throws(ImageStreamError) -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw .malformed(file, reason: error.reason)
        } catch {
            throw .malformed(file, reason: "\(error)")
        }
    }

    private func document(_ name: EntryName) -> [UInt8]? { documents[target(of: name)] }
    private func layer(_ name: EntryName) -> Layer? { layers[target(of: name)] }

    private func target(of name: EntryName) -> EntryName {
        var name = name
        for _ in 0..<Self.longestChain {
            guard let target = links[name] else { break }
            name = target
        }
        return name
    }
}

extension Descriptor {
    /// Whether its content is an image's manifest, not an index; the media type is optional.
    fileprivate func isImage(_ content: [UInt8]) -> Bool {
        if let mediaType {
            if MediaType.manifests.contains(mediaType) { return true }
            if MediaType.indexes.contains(mediaType) { return false }
        }
        return (try? JSONDecoder().decode(Manifest.self, from: Data(content))) != nil
    }

    /// The full name it was saved by: containerd's annotation, or OCI's where that is more than
    /// a tag.
    fileprivate var annotatedName: String? {
        if let name = annotations?["io.containerd.image.name"] { return name }
        let name = annotations?[Annotation.referenceName]
        return name.flatMap { $0.contains(":") || $0.contains("/") ? $0 : nil }
    }
}

extension DecodingError {
    /// Where, and what is wrong there.
    fileprivate var reason: String {
        let context: Context
        switch self {
        case .keyNotFound(let key, let at):
            return (at.codingPath.map(\.name) + [key.name]).joined(separator: ".") + " is missing"
        case .typeMismatch(_, let at), .valueNotFound(_, let at), .dataCorrupted(let at):
            context = at
        @unknown default: return "\(self)"
        }
        let path = context.codingPath.map(\.name).joined(separator: ".")
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
}

extension CodingKey {
    fileprivate var name: String { intValue.map(String.init) ?? stringValue }
}
