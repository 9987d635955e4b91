import OCI
import SystemIO

/// A blob that is in the cache: it is read from there once the registry has confirmed that this
/// pull may read it, and fetched otherwise.
@EventLoop
final class CacheReader: BlobReader {
    private let opening: Task<any BlobReader, any Error>
    private var reader: (any BlobReader)?

    /// - Parameters:
    ///   - cached: opens the blob in the cache; nil when it has been removed meanwhile.
    ///   - fetch: begins to fetch it.
    init(
        _ descriptor: OCI.Descriptor, confirmedBy repository: MirroredRepository,
        cached: @escaping @Sendable @EventLoop () -> (any BlobReader)?,
        fetch: @escaping @Sendable @EventLoop () throws -> any BlobReader
    ) {
        opening = EventLoop.task {
            if try await repository.confirms(descriptor), let reader = cached() { return reader }
            try Task.checkCancellation()
            return try fetch()
        }
    }

    func next() async throws -> [UInt8]? {
        if reader == nil {
            let opening = opening
            reader = try await withTaskCancellationHandler {
                try await opening.value
            } onCancel: {
                opening.cancel()
            }
        }
        return try await reader?.next()
    }

    func cancel() {
        let opening = opening
        opening.cancel()
        if let reader { return reader.cancel() }
        // One that was opened in this moment.
        EventLoop.task { (try? await opening.value)?.cancel() }
    }
}
