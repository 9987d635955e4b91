import FoundationEssentials
import ImageStream
import OCI
import RuntimeAPI
import SystemIO

/// The failure that a task had by itself, rather than by being cancelled.
@EventLoop
private final class FirstFailure {
    private(set) var error: (any Error)?

    func note(_ error: any Error) {
        if !Task.isCancelled { self.error = error }
    }
}

/// An image on its way into the engine: chunks → image stream, on a thread of its own → pipe →
/// cz-runtime. Nothing touches the disk on this side, and each part waits for the next.
@EventLoop
public final class ImageLoad {
    private let runtime: RuntimeClient
    private let chunks = ChunkHandoff()
    private let normalising: Task<NormalisedImage, any Error>
    private let loading: Task<[ImageName], any Error>
    private let loadFailure: FirstFailure

    /// As much as an unprivileged process may ask for (/proc/sys/fs/pipe-max-size).
    private static let pipeSize = 1 << 20

    /// - Parameters:
    ///   - name: nil for the archive's own.
    ///   - interrupt: called when a part of it fails, since whoever brings chunks may wait for
    ///     one that will not help any more.
    ///   - fetched: whether it can be fetched again from where it comes.
    /// - Throws: `SystemError`.
    public init(
        _ runtime: RuntimeClient, as name: ImageReference?, limits: ImageStreamLimits,
        fetched: Bool = false,
        interrupt: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        self.runtime = runtime
        let pipe = try Descriptor.pipe(capacity: Self.pipeSize)
        let (input, output) = (DescriptorHandoff(pipe.read), DescriptorHandoff(pipe.write))
        let chunks = self.chunks
        let loadFailure = FirstFailure()
        self.loadFailure = loadFailure
        normalising = EventLoop.task {
            defer { chunks.readerIsDone() }
            do {
                return try await withOwnThread(named: "image") {
                    try ImageStream.normalise(
                        from: chunks, to: try output.take(), as: name, limits: limits)
                }
            } catch {
                output.close()
                interrupt()
                throw error
            }
        }
        loading = EventLoop.task {
            do {
                return try await runtime.load(
                    try input.take(), as: name.map { ImageName($0) }, fetched: fetched)
            } catch {
                loadFailure.note(error)
                interrupt()
                throw error
            }
        }
    }

    /// Brings a chunk of the archive and waits until it is being read.
    public func push(_ chunk: Data) async { await chunks.push(chunk) }

    /// Everything has come: waits until the engine has the image, and hands over who signed it.
    ///
    /// - Throws: `ImageStreamError`, what cz-runtime says, or `CancellationError`; ``abandon(_:)``
    ///   has to follow.
    public func finish() async throws -> NormalisedImage {
        chunks.end()
        let image: NormalisedImage
        do {
            image = try await normalising.value
        } catch {
            throw await reason(error)
        }
        do {
            _ = try await withTaskCancellationHandler {
                try await loading.value
            } onCancel: {
                loading.cancel()
            }
        } catch {
            throw Task.isCancelled ? CancellationError() : error
        }
        try await runtime.attachSignatures(.init(of: image))
        return image
    }

    /// Gives it up because of `failure`: waits until nothing of it is left, and returns the error
    /// that the others came of.
    public func abandon(_ failure: any Error) async -> any Error {
        chunks.end(failure)
        switch await normalising.result {
        case .success:
            if let loadFailure = loadFailure.error { return loadFailure }
            loading.cancel()
            _ = await loading.result
            return failure
        case .failure(let error):
            // What ends the image stream cuts the load off, whose complaint is of no interest
            // then; but it may be the load that has interrupted whoever brought chunks.
            let reason = await reason(error)
            return reason is CancellationError ? loadFailure.error ?? reason : reason
        }
    }

    /// Why the image stream failed: of an output that went away the engine knows more.
    private func reason(_ error: any Error) async -> any Error {
        guard case .output = error as? ImageStreamError else {
            loading.cancel()
            _ = await loading.result
            if case .source(let source) = error as? ImageStreamError { return source }
            return error
        }
        if case .failure(let failure) = await loading.result { return failure }
        return error
    }
}
