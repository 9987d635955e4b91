import HTTPClient
import ImageStream
import OCI
import SystemIO

extension RegistryClient {
    /// Fetches a blob, goes on where it broke off, and checks its size and digest at the end.
    ///
    /// - Parameter output: takes the bytes in order, each once.
    /// - Throws: ``RegistryError``, `CancellationError`, or what `output` throws.
    func blob(
        _ descriptor: OCI.Descriptor, _ output: @EventLoop ([UInt8]) async throws -> Void
    ) async throws {
        let what = "\(source.registry)/\(source.repository)@\(descriptor.digest)"
        let hash = ContentHash(descriptor.digest.algorithm)
        var received = 0
        var breaks = 0
        var pause = configuration.firstPause
        while received < descriptor.size || (received == 0 && breaks == 0) {
            let start = received
            let response = try await get(
                "blobs/\(descriptor.digest)", what,
                headers: start > 0 ? [("Range", "bytes=\(start)-")] : [])
            // A server that knows no ranges begins anew.
            var toSkip = start > 0 && response.status != 206 ? start : 0
            do {
                while var bytes = try await response.next() {
                    if toSkip > 0 {
                        let skipped = min(toSkip, bytes.count)
                        toSkip -= skipped
                        bytes.removeFirst(skipped)
                        if bytes.isEmpty { continue }
                    }
                    received += bytes.count
                    guard received <= descriptor.size else {
                        response.cancel()
                        throw RegistryError.corrupt(
                            "\(what): it has more than the \(descriptor.size) bytes promised")
                    }
                    bytes.withUnsafeBytes { hash.update($0) }
                    try await output(bytes)
                }
                if received == descriptor.size { break }
                throw HTTPError(
                    .broken, "it ended after \(received) of \(descriptor.size) bytes")
            } catch let error as HTTPError {
                // As long as it gets further, it is worth going on.
                breaks = received > start ? 1 : breaks + 1
                guard breaks < Self.attempts else {
                    throw RegistryError.unavailable("\(what): \(error.reason)")
                }
                try await EventLoop.sleep(for: pause)
                pause = received > start ? configuration.firstPause : pause * 2
            }
        }
        let actual = hash.finish()
        guard actual == descriptor.digest else {
            throw RegistryError.corrupt("\(what): what came is \(actual)")
        }
    }
}
