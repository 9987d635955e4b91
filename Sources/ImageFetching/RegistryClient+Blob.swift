import ContentDigest
import HTTPClient
import ImageStream
import OCI
import SystemIO

/// How far the fetching of a blob has got, whichever registry it comes from.
@EventLoop
final class BlobProgress {
    let descriptor: OCI.Descriptor
    private(set) var received: Int64 = 0
    private let hash: ContentHash

    init(_ descriptor: OCI.Descriptor) {
        self.descriptor = descriptor
        hash = ContentHash(descriptor.digest.algorithm)
    }

    var size: Int64 { Int64(descriptor.size) }

    /// - Throws: ``FetchError/corrupt(_:)`` when there is more than promised.
    func add(_ bytes: [UInt8]) throws(FetchError) {
        received += Int64(bytes.count)
        guard received <= size else {
            throw .corrupt("\(descriptor.digest): it has more than the \(size) bytes promised")
        }
        bytes.withUnsafeBytes { hash.update($0) }
    }

    /// Everything has come.
    ///
    /// - Throws: ``FetchError/corrupt(_:)`` when it is not what the digest is of.
    func verify() throws(FetchError) {
        let actual = hash.finish()
        guard actual == descriptor.digest else {
            throw .corrupt("\(descriptor.digest): what came is \(actual)")
        }
    }
}

extension RegistryClient {
    /// Fetches what is missing of a blob, and goes on where it breaks off.
    ///
    /// - Parameter output: takes the bytes in order, each once.
    /// - Throws: ``FetchError``, `CancellationError`, or what `output` throws.
    func fetch(
        _ blob: BlobProgress, _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        guard blob.received < blob.size else { return }
        let digest = blob.descriptor.digest
        let what = "\(source.registry)/\(source.repository)@\(digest)"
        try await web.receive(what, after: blob.received) { start in
            try await get(
                "blobs/\(digest)", what, isLong: true,
                headers: start > 0 ? [("Range", "bytes=\(start)-")] : [])
        } isComplete: { received in
            received == blob.size
        } _: { bytes in
            try blob.add(bytes)
            try await output(bytes)
        }
    }

    /// Whether the registry has a blob in this repository and lets these credentials read it (OCI
    /// distribution spec, "Checking if content exists").
    ///
    /// - Throws: ``FetchError``, ``WebClient/Temporary`` or `CancellationError`.
    func confirms(_ descriptor: OCI.Descriptor) async throws -> Bool {
        let what = "\(source.registry)/\(source.repository)@\(descriptor.digest)"
        let response = try await ask("blobs/\(descriptor.digest)", what, method: "HEAD")
        defer { response.cancel() }
        // Its size as well, since a page to log in at is an answer, too.
        return response.status == 200
            && response.header("Content-Length").flatMap { Int($0) } == descriptor.size
    }
}
