import ContentDigest
import Glibc
import OCI
import SystemIO
import Testing

@testable import ImageFetching

@EventLoop
@Suite("The cache of blobs and who delivered them") struct BlobCacheTests {
    private let folder: String
    private let cache: BlobCache
    private let content = Array("a private layer".utf8)

    init() throws {
        var template = Array("/tmp/blob-cache-XXXXXX".utf8CString)
        folder = try template.withUnsafeMutableBufferPointer { buffer in
            let path = try #require(buffer.baseAddress.flatMap { mkdtemp($0) })
            return String(cString: path)
        }
        cache = try BlobCache(in: folder)
    }

    private func origin(_ image: String, plainHTTP: Bool = false) throws -> BlobOrigin {
        let reference = try #require(RegistryReference(try ImageReference(parsing: image)))
        return BlobOrigin(reference, usesPlainHTTP: plainHTTP)
    }

    private var descriptor: OCI.Descriptor {
        OCI.Descriptor(
            mediaType: "application/octet-stream", digest: ContentHash.digest(of: content),
            size: content.count)
    }

    private func keep(from origin: BlobOrigin) throws {
        let partial = try #require(try cache.begin(descriptor, from: origin))
        try partial.write(content, at: 0)
        try partial.finish()
    }

    @Test func hasABlobOnlyFromWhoDeliveredIt() throws {
        let mine = try origin("r.example/apps/web:1")
        #expect(!cache.has(descriptor, from: mine))
        try keep(from: mine)
        #expect(cache.has(descriptor, from: mine))
        #expect(cache.has(descriptor, from: try origin("R.EXAMPLE/apps/web:2")))
        for (image, plainHTTP) in [
            ("r.example/apps/other:1", false), ("r.example:5000/apps/web:1", false),
            ("evil.example/apps/web:1", false), ("r.example/apps/web:1", true),
        ] {
            #expect(!cache.has(descriptor, from: try origin(image, plainHTTP: plainHTTP)))
        }
        let other = try origin("r.example/apps/other:1")
        try keep(from: other)
        #expect(cache.has(descriptor, from: other) && cache.has(descriptor, from: mine))
    }

    @Test func doesNotGoOnWithBytesOfAnotherRepository() throws {
        let mine = try origin("r.example/apps/web:1")
        try #require(try cache.begin(descriptor, from: mine)).write([1, 2, 3], at: 0)
        #expect(try cache.begin(descriptor, from: mine)?.sizeAtFirst == 3)
        #expect(try cache.begin(descriptor, from: try origin("evil.example/x:1"))?.sizeAtFirst == 0)
    }

    @Test func ignoresRecordsThatAreCutOff() throws {
        let mine = try origin("r.example/apps/web:1")
        try keep(from: mine)
        let path = "\(folder)/origins/sha256/\(descriptor.digest.hexadecimal)"
        #expect(truncate(path, 40) == 0)
        #expect(!cache.has(descriptor, from: mine))
        // What comes after is whole again.
        try keep(from: mine)
        #expect(cache.has(descriptor, from: mine))
    }

    @Test func boundsTheRecords() throws {
        for number in 0..<70 { try keep(from: try origin("r.example/apps/a\(number):1")) }
        #expect(cache.has(descriptor, from: try origin("r.example/apps/a63:1")))
        #expect(!cache.has(descriptor, from: try origin("r.example/apps/a69:1")))
    }
}
