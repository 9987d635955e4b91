import OCI
import SystemIO

/// A blob that is read in order, each byte once, and is verified when the end has been reached.
@EventLoop
protocol BlobReader: AnyObject, Sendable {
    /// - Returns: nil at the end.
    /// - Throws: ``FetchError`` or `CancellationError`.
    func next() async throws -> [UInt8]?
    /// Nobody will read any more.
    func cancel()
}

/// A blob that is fetched while others are read: it waits in memory, up to a limit, or in the
/// cache as a whole.
@EventLoop
final class BlobStream: BlobReader {
    private let partial: PartialBlob?
    /// What is held in memory, and how much that is.
    private var pieces: [[UInt8]] = []
    private var held = 0
    /// How far the cache's file has been written, and read.
    private var written: Int64 = 0
    private var read: Int64 = 0
    private var end: Result<Void, any Error>?
    private let reader = Waiter()
    private let writer = Waiter()
    private var fetching: Task<Void, Never>?

    /// Enough to keep a connection busy while another layer is unpacked.
    private static let mostHeld = 256 << 10
    static let pieceSize = 128 << 10

    /// - Parameters:
    ///   - partial: where it is kept; nil to hold it in memory.
    ///   - onProgress: bytes there are so far.
    init(
        _ descriptor: OCI.Descriptor, from repository: MirroredRepository,
        keeping partial: PartialBlob?, onProgress: @escaping @EventLoop (Int64) -> Void
    ) {
        self.partial = partial
        fetching = EventLoop.task { [weak self] in
            let result: Result<Void, any Error>
            do {
                let blob = BlobProgress(descriptor)
                try await self?.takeUp(blob)
                if blob.received > 0 { onProgress(blob.received) }
                try await repository.fetch(blob) { bytes in
                    guard let self else { throw CancellationError() }
                    try await self.take(bytes)
                    onProgress(blob.received)
                }
                if let partial {
                    try await withOwnThread(named: "cache") { try partial.finish() }
                }
                result = .success(())
            } catch let error as SystemError {
                result = .failure(FetchError.cache(error))
            } catch {
                // Wrong bytes would be wrong the next time as well.
                if case .corrupt? = error as? FetchError { partial?.remove() }
                result = .failure(error)
            }
            self?.end = result
            self?.reader.wake()
        }
    }

    isolated deinit { fetching?.cancel() }

    // MARK: The fetching side

    /// Goes on after what an earlier run has left in the cache.
    private func takeUp(_ blob: BlobProgress) async throws {
        guard let partial, partial.sizeAtFirst > 0 else { return }
        guard partial.sizeAtFirst < blob.size else { return try partial.empty() }
        while blob.received < partial.sizeAtFirst {
            try Task.checkCancellation()
            let bytes = try partial.read(Self.pieceSize, at: blob.received)
            if bytes.isEmpty { break }
            try blob.add(bytes)
            written = blob.received
            reader.wake()
            await Task.yield()
        }
    }

    private func take(_ bytes: [UInt8]) async throws {
        if let partial {
            try partial.write(bytes, at: written)
            written += Int64(bytes.count)
            reader.wake()
            return
        }
        while held > 0, held + bytes.count > Self.mostHeld { try await writer.wait() }
        pieces.append(bytes)
        held += bytes.count
        reader.wake()
    }

    // MARK: The reading side

    func next() async throws -> [UInt8]? {
        while true {
            if let partial, read < written {
                let count = min(Self.pieceSize, Int(written - read))
                let bytes: [UInt8]
                do throws(SystemError) {
                    bytes = try partial.read(count, at: read)
                } catch {
                    throw FetchError.cache(error)
                }
                guard !bytes.isEmpty else {
                    throw FetchError.corrupt("the cache's file of a layer has been cut off")
                }
                read += Int64(bytes.count)
                return bytes
            }
            if !pieces.isEmpty {
                let bytes = pieces.removeFirst()
                held -= bytes.count
                writer.wake()
                return bytes
            }
            switch end {
            case .success: return nil
            case .failure(let error): throw error
            case nil: try await reader.wait()
            }
        }
    }

    func cancel() { fetching?.cancel() }
}
