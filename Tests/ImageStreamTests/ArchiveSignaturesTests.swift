import ContentDigest
import FoundationEssentials
import OCI
import Testing

@testable import ImageStream

/// An oci-archive whose index can be added to.
private struct SignedArchive {
    var archive: Archive
    var index: Index
    let manifest: [UInt8]

    init() throws {
        archive = try SampleImage.two().ociArchive()
        guard case .file("index.json", let document) = archive.entries.removeLast() else {
            throw ImageStreamError.noManifest
        }
        index = try JSONDecoder().decode(Index.self, from: Data(document))
        let name = "blobs/sha256/\(index.manifests[0].digest.hexadecimal)"
        manifest =
            archive.entries.compactMap { entry in
                if case .file(name, let content) = entry { content } else { nil }
            }.first ?? []
    }

    mutating func blob(_ content: [UInt8], _ type: String? = nil) -> Descriptor {
        let digest = ContentHash.digest(of: content)
        archive.add("blobs/sha256/\(digest.hexadecimal)", content)
        return Descriptor(mediaType: type, digest: digest, size: content.count)
    }

    /// A manifest as cosign keeps signatures in, with the annotations its index entry has.
    mutating func sign(
        _ payload: String, _ signature: String = "AQID", annotations: [String: String]? = nil,
        subject: Descriptor? = nil, isThere: Bool = true
    ) throws {
        struct Document: Encodable {
            var config: Descriptor
            var layers: [Descriptor]
            var subject: Descriptor?
        }
        let bytes = Array(payload.utf8)
        var layer =
            isThere
            ? blob(bytes)
            : Descriptor(mediaType: nil, digest: ContentHash.digest(of: bytes), size: bytes.count)
        layer.mediaType = "application/vnd.dev.cosign.simplesigning.v1+json"
        layer.annotations = ["dev.cosignproject.cosign/signature": signature]
        let document = Document(
            config: blob(Array("{}".utf8)), layers: [layer], subject: subject)
        // A configuration is there once, however many manifests name it.
        if archive.entries.dropLast().contains(where: { $0.name == archive.entries.last?.name }) {
            archive.entries.removeLast()
        }
        var entry = blob(Array(try JSONEncoder().encode(document)))
        entry.annotations = annotations
        index.manifests.append(entry)
    }

    func bytes() throws -> [UInt8] {
        var archive = archive
        try archive.add("index.json", json: index)
        return try archive.bytes()
    }
}

extension Archive.Entry {
    fileprivate var name: String? {
        if case .file(let name, _) = self { name } else { nil }
    }
}

@Suite("Signatures in archives") struct ArchiveSignaturesTests {
    @Test(
        "They do not count as images, however they are told",
        arguments: [
            nil, ["kind": "dev.cosignproject.cosign/sigs"],
            ["kind": "dev.cosignproject.cosign/atts"],
            [
                "org.opencontainers.image.ref.name":
                    "sha256-\(String(repeating: "ab", count: 32)).sig"
            ],
        ] as [[String: String]?])
    func found(_ annotations: [String: String]?) throws {
        var signed = try SignedArchive()
        try signed.sign(#"{"critical": 1}"#, annotations: annotations)
        let passed = try normalise(try signed.bytes())
        let found = try #require(passed.image.signatures)
        #expect(found.manifest == signed.manifest)
        #expect(found.index == nil)
        #expect(
            found.signatures == [
                .init(payload: Array(#"{"critical": 1}"#.utf8), signature: [1, 2, 3])
            ])
        // The engine gets the image and nothing of them.
        #expect(passed.entries.count == 4)
    }

    @Test("What refers to the image is no image")
    func referrer() throws {
        var signed = try SignedArchive()
        try signed.sign("{}", subject: signed.index.manifests[0])
        #expect(try normalise(try signed.bytes()).image.signatures?.signatures.count == 1)
    }

    @Test("Where an index stands between, that is told too")
    func index() throws {
        var signed = try SignedArchive()
        let inner = Array(try JSONEncoder().encode(signed.index))
        signed.index = Index(manifests: [signed.blob(inner)])
        try signed.sign("{}")
        let found = try #require(try normalise(try signed.bytes()).image.signatures)
        #expect(found.index == inner && found.manifest == signed.manifest)
    }

    @Test("Without any there are none")
    func none() throws {
        let sample = try SampleImage.two()
        let oci = try normalise(try sample.ociArchive().bytes())
        #expect(oci.image.signatures?.signatures == [])
        #expect(try normalise(try sample.dockerArchive().bytes()).image.signatures == nil)
    }

    @Test("A tag that only looks like a signature's is an image's")
    func lookalike() throws {
        for tag in ["sha256-abc.sig", "web:1.sig", "sha256-\(String(repeating: "ab", count: 32))"] {
            let archive = try SampleImage.two().ociArchive(
                annotations: ["org.opencontainers.image.ref.name": tag])
            #expect(try normalise(try archive.bytes()).manifest != nil, "\(tag)")
        }
    }

    @Test("An archive of signatures alone holds no image")
    func alone() throws {
        var signed = try SignedArchive()
        signed.index.manifests = []
        try signed.sign("{}")
        #expect(throws: ImageStreamError.self) { try normalise(try signed.bytes()) }
    }

    @Test("What is broken is said, or is no signature")
    func broken() throws {
        var missing = try SignedArchive()
        try missing.sign(#"{"a": 1}"#, isThere: false)
        #expect(throws: ImageStreamError.self) { try normalise(try missing.bytes()) }
        var text = try SignedArchive()
        try text.sign("{}", "not base64!")
        #expect(try normalise(try text.bytes()).image.signatures?.signatures == [])
    }

    @Test("There is an end to them")
    func many() throws {
        var signed = try SignedArchive()
        for number in 0..<40 { try signed.sign(#"{"number": \#(number)}"#) }
        let found = try normalise(try signed.bytes()).image.signatures
        #expect(found?.signatures.count == ArchiveSignatures.mostSignatures)
    }
}
