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
        let digest = blob.descriptor.digest
        let what = "\(source.registry)/\(source.repository)@\(digest)"
        var breaks = 0
        var pause = web.configuration.firstPause
        while blob.received < blob.size {
            let start = blob.received
            let response = try await get(
                "blobs/\(digest)", what, isLong: true,
                headers: start > 0 ? [("Range", "bytes=\(start)-")] : [])
            // A server that knows no ranges begins anew.
            var toSkip = response.status == 206 ? 0 : Int(start)
            do {
                while var bytes = try await response.next() {
                    if toSkip > 0 {
                        let skipped = min(toSkip, bytes.count)
                        toSkip -= skipped
                        bytes.removeFirst(skipped)
                        if bytes.isEmpty { continue }
                    }
                    try blob.add(bytes)
                    try await output(bytes)
                }
                if blob.received == blob.size { return }
                throw HTTPError(
                    .broken, "it ended after \(blob.received) of \(blob.size) bytes")
            } catch let error as HTTPError {
                // As long as it gets further, it is worth going on.
                let isFurther = blob.received > start
                breaks = isFurther ? 1 : breaks + 1
                guard breaks < WebClient.attempts else {
                    throw FetchError.unavailable("\(what): \(error.reason)")
                }
                try await EventLoop.sleep(for: pause)
                pause = isFurther ? web.configuration.firstPause : pause * 2
            } catch {
                response.cancel()
                throw error
            }
        }
    }
}
